# What the programs in Ruby share: features by their names, and what they say about each.
$stdout.sync = true
CA, OTHER_CA, DEAD_PORT = %w[CA OTHER_CA DEAD_PORT].map { |name| ENV.fetch("FEATURES_#{name}") }
MOVES = ENV['FEATURES_ROUTE'] != 'direct'
WORK = {}

def feature(name, &work) = WORK[name.to_s] = work

def equal(got, expected)
  return if got == expected

  if got.is_a?(Array) && expected.is_a?(Array) && got.size == expected.size
    got, expected = got.zip(expected).find { |a, b| a != b }
  end
  raise "got #{got.inspect[0, 200]}, not #{expected.inspect[0, 200]}"
end

# The block raises an error with this SQLSTATE, or with this text.
def fails(what)
  begin
    yield
  rescue StandardError => e
    state = e.respond_to?(:result) && e.result ? e.result.error_field(PG::PG_DIAG_SQLSTATE) : nil
    return if state == what || e.message.include?(what)

    raise "error #{state} #{e.message}, not #{what}"
  end
  raise "no error #{what}"
end

def moved(pids)
  pids.uniq!
  raise "statements were done by #{pids.size} server processes" if MOVES != (pids.size > pids.map(&:first).uniq.size)
end

def main(version)
  puts "version #{version}"
  (ARGV.empty? ? WORK.keys : ARGV).each do |name|
    next unless WORK[name]

    puts "begin #{name}"
    begin
      WORK[name].call
      puts "#{name} ok"
    rescue StandardError => e
      puts "#{name} failed #{"#{e.class} #{e.message} #{e.backtrace[0].split('/').last}".split.join(' ')}"
    end
  end
  puts 'end'
end
