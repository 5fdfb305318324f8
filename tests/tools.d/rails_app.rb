# Active Record's days: migrations there and back with its advisory lock, prepared statements, transactions, batches, pools of
# several threads, schema.rb. A program for tools.py: prints what it sees; its database is that of PGHOST and so on, its folder
# the current one.

require "logger"
require "active_record"
require "fileutils"

SETTINGS = {
  adapter: "postgresql", host: ENV["PGHOST"], port: ENV["PGPORT"].to_i, username: ENV["PGUSER"], password: ENV["PGPASSWORD"],
  database: ENV["PGDATABASE"], pool: 5, min_messages: "warning", variables: { statement_timeout: "30s", "app.who" => "rails" }
}.freeze

MIGRATIONS = {
  "20260101000001_make_items" => <<~RUBY,
    class MakeItems < ActiveRecord::Migration[6.1]
      def change
        enable_extension "plpgsql"
        create_table :shelves do |t|
          t.string :label, null: false, index: { unique: true }
          t.timestamps
        end
        create_table :items do |t|
          t.references :shelf, foreign_key: { on_delete: :cascade }
          t.string :name, limit: 40
          t.jsonb :doc, default: {}
          t.text :tags, array: true, default: []
          t.datetime :at
          t.integer :size, default: 0
        end
        execute "select pg_sleep(1)" if ENV["SLOWLY"]
      end
    end
  RUBY
  "20260101000002_more_of_items" => <<~RUBY,
    class MoreOfItems < ActiveRecord::Migration[6.1]
      disable_ddl_transaction!
      def change
        add_index :items, [:name, :size], algorithm: :concurrently
        add_column :items, :colour, :string, default: "red"
        add_check_constraint :items, "size >= 0", name: "size_is_positive"
        change_column_null :items, :name, false, "nameless"
        reversible { |dir| dir.up { execute "create view large as select * from items where size > 290" }; dir.down { execute "drop view large" } }
      end
    end
  RUBY
  "20260101000003_fails" => <<~RUBY,
    class Fails < ActiveRecord::Migration[6.1]
      def up
        add_column :items, :lost, :string
        execute "select 1 / 0" if ENV["FAILS"]
        remove_column :items, :lost
      end
      def down; end
    end
  RUBY
}.freeze

class Shelf < ActiveRecord::Base
  has_many :items
end

class Item < ActiveRecord::Base
  belongs_to :shelf
end

def migrations
  FileUtils.mkdir_p("migrate")
  MIGRATIONS.each { |name, text| File.write("migrate/#{name}.rb", text) }
  ActiveRecord::MigrationContext.new("migrate", ActiveRecord::SchemaMigration)
end

def trying(what)
  yield
rescue StandardError => e
  puts "#{what}: #{e.class} #{e.message.lines.first}"
end

def migrate
  context = migrations
  context.migrate(20_260_101_000_002)
  context.rollback(1)
  ENV["FAILS"] = "1"
  trying("failing") { context.migrate }
  ENV.delete("FAILS")
  p context.current_version, context.needs_migration?
  context.migrate
  p context.migrations_status
  ActiveRecord::SchemaDumper.dump(ActiveRecord::Base.connection, $stdout)
end

def write
  shelves = Array.new(3) { |i| Shelf.create!(label: "shelf #{i}") }
  rows = Array.new(300) { |i| { name: "item #{i}", shelf_id: shelves[i % 3].id, doc: { n: i }, tags: ["t#{i}", "it's"], at: Time.utc(2026, 3, 29, 0, 30), size: i } }
  Item.insert_all(rows)
  Item.transaction do
    Item.where(name: "item 1").update_all("size = size + 10")
    trying("inside") { Item.transaction(requires_new: true) { Shelf.create!(label: "shelf 1") } }
    p Item.lock("for update skip locked").where("size < ?", 3).order(:id).pluck(:name)
    raise ActiveRecord::Rollback if Item.delete_all.zero?
  rescue ActiveRecord::StatementInvalid => e
    puts e.message
  ensure
    raise ActiveRecord::Rollback
  end
  p Item.count
end

def read
  10.times { |i| p Item.find_by(name: "item #{i}").attributes.except("id") }
  p Item.joins(:shelf).group("shelves.label").order("shelves.label").sum(:size), Item.where("doc @> ?", { n: 7 }.to_json).pluck(:tags)
  seen = 0
  Item.in_batches(of: 50) { |batch| seen += batch.update_all("size = size + 1") }
  p seen, Item.find_each(batch_size: 70).sum(&:size)
  connection = Item.connection
  p connection.select_rows("select current_setting('timezone'), current_setting('client_min_messages'), current_setting('standard_conforming_strings'), current_setting('app.who'), current_setting('intervalstyle')")
  p connection.active?, connection.tables.sort, connection.indexes(:items).map(&:columns), connection.extensions
  # A statement that was prepared, and whose columns change: once outside of a transaction, once inside.
  2.times { p Item.where(size: 5).pluck(:name) }
  connection.execute("alter table items add extra int default 4")
  p Item.where(name: "item 3").first.attributes.except("id")
  Item.reset_column_information
  p Item.where(name: "item 3").first.attributes.except("id")
  Item.transaction do
    p Item.where(name: "item 4").first.name
    connection.execute("alter table items drop extra")
    trying("changed") { p Item.where(name: "item 4").first.name }
  end
  connection.clear_cache!
  connection.reset!
  p Item.where(size: 6).pluck(:name)
  connection.reconnect!
  p Item.uncached { Item.order(:id).limit(2).pluck(:name) }, connection.get_advisory_lock(77), connection.release_advisory_lock(77)
end

def threads
  sums = Array.new(8) do |i|
    Thread.new do
      ActiveRecord::Base.connection_pool.with_connection do |c|
        Array.new(20) { |n| c.exec_query("select $1::int * #{n % 4} as v", "SQL", [[nil, i]], prepare: true).first["v"] }.sum
      end
    end
  end
  p sums.map(&:value)
end

$stdout.sync = true
ActiveRecord::Base.establish_connection(SETTINGS)
ActiveRecord::Migration.verbose = false
ActiveRecord::Base.time_zone_aware_attributes = false
case ARGV[0]
when "together"
  ENV["SLOWLY"] = "1"
  begin
    migrations.migrate
    puts "done"
  rescue ActiveRecord::ConcurrentMigrationError => e
    puts e.class
  end
else
  migrate
  write
  read
  threads
end
