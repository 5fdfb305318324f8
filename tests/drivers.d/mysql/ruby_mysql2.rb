#!/usr/bin/ruby
# mysql2 (Ruby), over libmariadb.
require 'digest'
require 'mysql2'

EMOJI = "ü – 漢字 – 🐬 – \\ ' \" \n%".freeze
FEATURES = {}

def env(name) = ENV["MY_#{name}"]
def feature(name, &work) = FEATURES[name] = work

# One line; what is long, by its length and hash.
def see(*values)
  puts(values.map do |v|
    next v if v.is_a?(String) && v.match?(/\A([a-z ]+|-)\z/)
    text = v.inspect
    text.length < 2000 ? text : "#{text.length} #{Digest::MD5.hexdigest(text)}"
  end.join(' '))
  $stdout.flush
end

def attempt(what)
  yield
  see(what, 'nothing')
rescue Mysql2::Error => e
  see(what, e.class, e.error_number, e.sql_state, e.message)
end

def connect(**more)
  tls = env('CA').empty? ? {} : { sslca: env('CA'), sslverify: true }
  Mysql2::Client.new(host: env('HOST'), port: env('PORT').to_i, username: env('USER'), password: env('PASSWORD'), database: env('DATABASE'),
                     encoding: 'utf8mb4', as: :array, **tls, **more)
end

def rows(client, sql, **options) = client.query(sql, **options)&.to_a
def bound(client, sql, *args) = client.prepare(sql).execute(*args, as: :array)&.to_a

feature('login') do
  see(rows(connect, 'select 1, current_user(), database(), @@character_set_client, @@collation_connection'))
  see(rows(connect(database: nil), 'select database()'))
  [{ password: 'wrong' }, { username: 'nobody' }].each { |wrong| attempt('login') { connect(**wrong) } }
  see(rows(connect(init_command: 'set @a = 7'), 'select @a'))
end

feature('tls') do
  next see('-') if env('CA').empty?
  see(rows(connect, 'select 1') && 'encrypted yes')
  begin
    connect(sslca: env('OTHER_CA'))
    see('stranger taken')
  rescue Mysql2::Error
    see('stranger refused')
  end
end

feature('types') do
  c = connect
  rows(c, 'select * from d_types order by id').each { |row| see(row) }
  rows(c, 'select * from d_types order by id', cast: false).each { |row| see(row) }
  result = c.query('select * from d_types')
  see(result.fields)
end

feature('unicode') do
  c = connect
  c.query("insert into d_texts (t) values ('#{c.escape(EMOJI)}')")
  see(rows(c, 'select t, length(t) from d_texts'), bound(c, 'select t = ?, ? as `漢字` from d_texts', EMOJI, EMOJI))
end

feature('prepared') do
  c = connect
  bound(c, 'select id, i1, u8, n, b9, da, dt, v, bl, e, s, js, g from d_types where id <> ? order by id', 9).each { |row| see(row) }
  s = c.prepare('select ? + 1, ?, ?, ?')
  3.times { |i| see(s.execute(i, nil, 1.5, "\0x", as: :array).to_a) }
  see(s.param_count, s.field_count, s.fields, s.close)
  attempt('error') { bound(c, 'select * from nowhere where a = ?', 1) }
  attempt('error') { bound(c, 'insert into d_money values (?, ?)', 1, -1) }
end

feature('results') do
  ["select 1; select 'two', 2; do 1; select 3", 'call d_two()', 'select 1; selec'].each do |sql|
    c = connect(flags: Mysql2::Client::MULTI_STATEMENTS)
    attempt('at last') do
      see(rows(c, sql))
      see(c.store_result&.to_a) while c.next_result
    end
  end
  attempt('one only') { rows(connect, 'select 1; select 2') }
end

feature('keys') do
  [[], ['FOUND_ROWS']].each do |flags|
    c = connect(flags: flags.empty? ? ['-FOUND_ROWS'] : flags)
    ['insert into d_keys (v) values (1), (2)', 'update d_keys set v = 7', 'update d_keys set v = 7', 'delete from d_keys', 'truncate d_keys'].each do |sql|
      c.query(sql)
      see(sql, c.affected_rows, c.last_id, c.query_info)
    end
    s = c.prepare('insert into d_keys (v) values (?)')
    s.execute(1)
    see(s.affected_rows, s.last_id)
    c.query('truncate d_keys')
  end
end

feature('transactions') do
  c, other = connect, connect
  c.query('begin')
  c.query('insert into d_money values (1, 10)')
  see(rows(other, 'select * from d_money'))
  c.query('rollback')
  see(rows(other, 'select * from d_money'))
end

feature('errors') do
  c = connect
  ['selec', 'select * from nowhere', 'insert into d_money values (2, -1)', "signal sqlstate '45000' set message_text = 'our ü', mysql_errno = 30001", ''].each do |sql|
    attempt('error') { see(rows(c, sql)) }
  end
  see(rows(c, 'select 1/0'), rows(c, 'show warnings'))
end

feature('large') do
  c = connect
  data = (0..255).to_a.pack('C*') * 4096
  s = c.prepare('insert into d_large values (?, ?)')
  s.execute(1, data)
  s.execute(2, data * 17)
  see(rows(c, 'select * from d_large order by id'), bound(c, 'select * from d_large where id > ? order by id', 0))
end

feature('stream') do
  c = connect
  see(c.query('select seq, repeat("x", 500) from seq_1_to_20000', stream: true, cache_rows: false).sum { |row| row[0] })
  see(c.prepare('select seq from seq_1_to_20000 where seq > ?').execute(9, stream: true, cache_rows: false, as: :array).sum { |row| row[0] })
  see(rows(c, 'select 1'))
end

feature('schema') do
  c = connect
  c.select_db('information_schema')
  see(rows(c, 'select database()'))
  attempt('nowhere') { c.select_db('nowhere') }
end

feature('ping') { see(connect.ping, connect.server_info[:version], connect.encoding) }

feature('timeout') do
  attempt('driver') { rows(connect(read_timeout: 1), 'select sleep(3)') }
  c = connect
  c.query('set max_statement_time = 0.5')
  attempt('server') { rows(c, 'select count(*) from seq_1_to_100000 a, seq_1_to_100000 b where a.seq <> b.seq * 7') }
end

{ 'kill' => 'select connection_id()', 'cancel' => nil }.each do |name, whose|
  feature(name) do
    c, other = connect, connect
    id = whose ? rows(c, whose)[0][0] : c.thread_id
    c.query('select sleep(2)', async: true)
    sleep(0.5)
    attempt('killer') { other.query("kill query #{id}") }
    attempt('ended') { see(c.async_result.to_a) }
    see(rows(c, 'select 1'))
  end
end

feature('attributes') { see(rows(connect(connect_attrs: { program_name: 'looks ü', more: 'x' * 300 }), 'select 1')) }
feature('compress') { see(rows(connect(flags: ['COMPRESS']), 'select repeat("x", 100000)')) }

feature('infile') do
  c = connect(local_infile: true)
  attempt('loaded') { c.query("load data local infile '#{env('FOLDER')}/rows.txt' into table d_loaded") }
  see(rows(c, 'select * from d_loaded'))
end

puts "version mysql2_(Ruby) #{Mysql2::VERSION}"
FEATURES.each do |name, work|
  puts "begin #{name}"
  begin
    work.call
  rescue StandardError => e
    puts "raised #{e.class} #{e.message.inspect} #{e.backtrace.first}"
  end
end
puts 'end'
