# ruby-pg: libpq with its pipelines, type maps, single rows, COPY with encoders, large objects.
require 'pg'
require 'json'
require_relative 'check'

def connect(**more) = PG.connect({ host: '127.0.0.1', connect_timeout: 10 }.merge(more))

feature(:login) do
  c = connect(application_name: 'features of ruby-pg')
  equal c.exec("select current_user, current_setting('application_name')").values, [[ENV['PGUSER'], 'features of ruby-pg']]
  c.close
  fails('password authentication failed') { connect(password: 'wrong') }
  fails('nowhere_at_all') { connect(dbname: 'nowhere_at_all') }
end

feature(:tls) do
  c = connect(host: 'localhost', sslmode: 'verify-full', sslrootcert: CA)
  equal [c.ssl_in_use?, c.exec('select 1').getvalue(0, 0)], [true, '1']
  c.close
  fails('certificate verify failed') { connect(host: 'localhost', sslmode: 'verify-full', sslrootcert: OTHER_CA) }
  fails('does not match host name') { connect(sslmode: 'verify-full', sslrootcert: CA) }
end

feature(:hosts) do
  %w[any read-write primary prefer-standby].each do |wanted|
    c = PG.connect(host: '127.0.0.1,127.0.0.1', port: "#{DEAD_PORT},#{ENV['PGPORT']}", target_session_attrs: wanted)
    equal [c.exec('select 5').getvalue(0, 0), c.port], ['5', ENV['PGPORT'].to_i]
    c.close
  end
  fails('hot standby') { PG.connect(host: '127.0.0.1,127.0.0.1', port: "#{DEAD_PORT},#{ENV['PGPORT']}", target_session_attrs: 'standby') }
end

feature(:settings) do
  some = Array.new(5) { |i| connect(options: "-c search_path=s#{i} -c app.mine=#{i}", client_encoding: i.zero? ? 'LATIN1' : 'UTF8') }
  some.each_with_index { |c, i| c.exec("set timezone to 'Etc/GMT+#{i}'") }
  pids = []
  5.times do |n|
    some[n].exec('begin; select 1') # somebody else has to do without this one's server connection
    some.each_with_index do |c, i|
      got = c.exec("select current_setting('search_path'), current_setting('app.mine'), current_setting('timezone'), chr(228), pg_backend_pid()").values[0]
      equal got[0, 3], ["s#{i}", i.to_s, "Etc/GMT+#{i}"]
      equal [got[3].encode('UTF-8'), c.parameter_status('TimeZone')], ['ä', "Etc/GMT+#{i}"]
      pids << [i, got[4]]
    end
    some[n].exec('commit')
  end
  some.each(&:close)
  moved pids
end

VALUES = [1, 2**40, 1.5, true, "ä€'\\", Time.at(1_700_000_000, 123_456, :usec).utc, Date.new(2024, 2, 29), [1, nil, 3], nil].freeze
CASTS = %w[int bigint float8 bool text timestamptz date int[] text].freeze

def there_and_back(c, format)
  c.type_map_for_results = PG::BasicTypeMapForResults.new(c)
  map = PG::BasicTypeMapForQueries.new(c)
  map.encode_array_as = :array
  c.type_map_for_queries = map
  sql = "select #{CASTS.each_with_index.map { |t, i| "$#{i + 1}::#{t}" }.join(', ')}"
  3.times { equal c.exec_params(sql, VALUES, format).values[0], VALUES }
end

feature(:types) do
  c = connect
  there_and_back c, 0
  equal c.exec_params("select $1::jsonb ->> 'a', $2::numeric", [{ a: 'ü' }.to_json, 12_345.6789.to_s]).values[0][0], 'ü'
  c.close
end

feature(:binary) do
  c = connect
  got = c.exec_params('select $1::bytea, $2::int, $3::text', [{ value: "\x00\xff'".b, format: 1 }, { value: [77].pack('N'), format: 1, type: 23 }, 'ä'], 1)
  equal got.values[0], ["\x00\xff'".b, [77].pack('N'), 'ä'.b]
  c.close
  c = connect
  c.type_map_for_results = PG::BasicTypeMapForResults.new(c)
  5.times { |i| equal c.exec_params("select $1::int4, 'ä'::text, true, '\\x00ff'::bytea, null", [i], 1).values[0], [i, 'ä', true, "\x00\xff".b, nil] }
  c.close
end

feature(:large) do
  c = connect
  equal c.exec_params("select length($1), repeat('y', 3000000)", ['x' * 3_000_000]).values, [['3000000', 'y' * 3_000_000]]
  c.send_query('select n from generate_series(1, 20000) n')
  c.set_single_row_mode
  got = c.get_result.stream_each_row.map { |(v)| v.to_i }
  equal got, (1..20_000).to_a
  c.close
end

feature(:prepared) do
  some = Array.new(5) { connect }
  pids = []
  some.each_with_index { |c, i| c.prepare('mine', "select name, #{i}, pg_backend_pid() from feature_items where id = $1") }
  some.each_with_index { |c, i| equal c.describe_prepared('mine').fields, ['name', '?column?', 'pg_backend_pid'] if i < 5 }
  (1..6).each do |n|
    some[n % 5].exec('begin; select 1')
    some.each_with_index do |c, i|
      got = c.exec_prepared('mine', [n]).values[0]
      equal got[0, 2], ["item #{n}", i.to_s]
      pids << [i, got[2]]
    end
    some[n % 5].exec('commit')
  end
  some[0].exec('deallocate mine')
  fails('26000') { some[0].exec_prepared('mine', [1]) }
  equal some[1].exec_prepared('mine', [1]).getvalue(0, 0), 'item 1'
  some.each(&:close)
  moved pids
end

feature(:cursor) do
  some = Array.new(2) { connect }
  some.each_with_index { |c, i| c.exec("begin; declare mine scroll cursor for select #{i * 10_000} + n from generate_series(1, 1000) n") }
  got = [[], []]
  until got[1].size == 1000
    some.each_with_index do |c, i|
      got[i] += c.exec('fetch 90 from mine').column_values(0).map(&:to_i)
      equal c.exec('select 7').getvalue(0, 0), '7'
    end
  end
  2.times { |i| equal got[i], (1..1000).map { |n| i * 10_000 + n } }
  equal some[1].exec('fetch absolute 3 from mine').getvalue(0, 0), '10003'
  equal some[1].describe_portal('mine').nfields, 1
  some.each { |c| c.exec('commit') }
  some.each(&:close)
end

feature(:batch) do
  c = connect
  3.times do
    c.enter_pipeline_mode
    50.times { |i| c.send_query_params('select $1::int * 2', [i]) }
    c.pipeline_sync
    c.send_query_params('insert into feature_items (id, name) values ($1, $2)', [900, 'lost'])
    c.send_query_params('select 1 / $1::int', [0])
    c.send_query_params('select 5', [])
    c.pipeline_sync
    c.send_query_params('select 6', [])
    c.send_flush_request
    c.flush
    got = []
    states = []
    until got.size == 51
      r = c.get_result or next
      states << r.result_status
      got << r.getvalue(0, 0).to_i if r.result_status == PG::PGRES_TUPLES_OK
    end
    equal got, (0...50).map { |i| i * 2 } + [6]
    equal states.tally, { PG::PGRES_TUPLES_OK => 51, PG::PGRES_PIPELINE_SYNC => 2, PG::PGRES_FATAL_ERROR => 1, PG::PGRES_PIPELINE_ABORTED => 1, PG::PGRES_COMMAND_OK => 1 }
    c.get_result
    c.pipeline_sync
    equal c.get_result.result_status, PG::PGRES_PIPELINE_SYNC
    c.exit_pipeline_mode
    equal c.exec('select count(*) from feature_items').getvalue(0, 0), '100'
  end
  c.close
end

feature(:copyin) do
  c = connect
  coder = PG::TextEncoder::CopyRow.new
  c.copy_data('copy feature_items (id, name) from stdin', coder) { (2000...7000).each { |i| c.put_copy_data([i, "copied #{i}"]) } }
  equal c.exec('select count(*), min(name) from feature_items where id >= 2000').values, [['5000', 'copied 2000']]
  c.exec('delete from feature_items where id >= 2000')
  fails('22P02') { c.copy_data('copy feature_items from stdin') { c.put_copy_data("no number\tx\t1\n") } }
  fails('changed my mind') { c.copy_data('copy feature_items from stdin') { raise 'changed my mind' } }
  equal c.exec('select count(*) from feature_items').getvalue(0, 0), '100'
  c.close
end

feature(:copyout) do
  c = connect
  got = []
  c.copy_data("copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout", PG::TextDecoder::CopyRow.new) do
    while (row = c.get_copy_data)
      got << row
    end
  end
  equal got, (1..20_000).map { |n| [n.to_s, "row #{n}"] }
  c.close
end

feature(:listen) do
  c, deaf, other = Array.new(3) { connect }
  c.exec('listen feature_channel')
  3.times { |i| other.exec_params("select pg_notify('feature_channel', $1)", ["payload #{i} ü"]) }
  got = Array.new(3) { c.wait_for_notify(10) { |channel, _, payload| break [channel, payload] } }
  equal got, Array.new(3) { |i| ['feature_channel', "payload #{i} ü"] }
  c.exec('unlisten *')
  other.exec("notify feature_channel, 'late'")
  equal [c.wait_for_notify(0.3), deaf.wait_for_notify(0.1), c.exec('select 2').getvalue(0, 0)], [nil, nil, '2']
  [c, deaf, other].each(&:close)
end

feature(:cancel) do
  c, other = connect, connect
  2.times do
    c.send_query('select pg_sleep(20)')
    sleep 0.2
    c.cancel
    fails('57014') { c.get_last_result }
    equal [c.exec('select 3').getvalue(0, 0), other.exec('select 4').getvalue(0, 0)], %w[3 4]
  end
  [c, other].each(&:close)
end

feature(:transactions) do
  c = connect
  fails('22012') do
    c.transaction do
      c.exec('set transaction isolation level serializable')
      c.exec('delete from feature_items')
      c.exec('select 1 / 0')
    end
  end
  c.transaction do
    equal c.exec('select count(*) from feature_items').getvalue(0, 0), '100'
    c.exec('savepoint s')
    fails('23505') { c.exec("insert into feature_items values (1, 'taken')") }
    equal c.transaction_status, PG::PQTRANS_INERROR
    c.exec('rollback to s')
    equal c.exec('select count(*) from feature_items').getvalue(0, 0), '100'
  end
  equal c.transaction_status, PG::PQTRANS_IDLE
  c.close
end

feature(:errors) do
  c = connect
  begin
    c.exec_params("insert into feature_items values ($1, 'x', 0)", [1])
  rescue PG::UniqueViolation => e
    equal [e.result.error_field(PG::PG_DIAG_CONSTRAINT_NAME), e.result.error_field(PG::PG_DIAG_TABLE_NAME)], %w[feature_items_pkey feature_items]
  end
  fails('42703') { c.exec_params('select nothing_like_it, $1', [1]) }
  heard = []
  c.set_notice_receiver { |r| heard << r.error_message }
  c.exec("do $$ begin raise notice 'heard'; end $$")
  equal [heard, c.exec('select 8').getvalue(0, 0)], [["NOTICE:  heard\n"], '8']
  c.close
end

feature(:lobs) do
  c = connect
  oid = nil
  c.transaction do
    oid = c.lo_creat
    fd = c.lo_open(oid, PG::INV_READ | PG::INV_WRITE)
    c.lo_write(fd, "\x00\x01".b * 300_000)
    c.lo_lseek(fd, 10, PG::SEEK_SET)
    c.lo_write(fd, 'there')
    c.lo_lseek(fd, 8, PG::SEEK_SET)
    equal c.lo_read(fd, 8), "\x00\x01there\x01".b
    c.lo_truncate(fd, 12)
    c.lo_close(fd)
  end
  c.transaction do
    fd = c.lo_open(oid)
    equal c.lo_read(fd, 100).size, 12
  end
  c.lo_unlink(oid)
  fails('') { c.transaction { c.lo_open(oid) } }
  c.close
end

feature(:pool) do # what looks after a connection: reset, check
  c = connect
  c.exec("set app.mine to 'x'")
  c.reset
  equal c.exec("select coalesce(current_setting('app.mine', true), '')").getvalue(0, 0), ''
  equal PG::Connection.ping(host: '127.0.0.1'), PG::PQPING_OK
  c.close
end

main "ruby-pg #{PG::VERSION}"
