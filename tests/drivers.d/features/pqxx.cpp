// libpqxx: pipelines, stream_to and stream_from, SQL cursors, prepared statements, robust transactions, large objects.
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <pqxx/pqxx>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

using std::string;
using std::to_string;
using std::vector;

namespace {

string env(const char *name) { return std::getenv(name) ? std::getenv(name) : ""; }
const bool moves = env("FEATURES_ROUTE") != "direct";
vector<std::pair<string, std::function<void()>>> features;

struct feature {
    feature(const char *name, std::function<void()> work) { features.emplace_back(name, work); }
};

template <typename A, typename B> void equal(const A &got, const B &expected) {
    if (got == expected) return;
    std::ostringstream said;
    said << "got " << got << ", not " << expected;
    throw std::runtime_error(said.str().substr(0, 400));
}

void fails(const string &what, std::function<void()> work) {
    try {
        work();
    } catch (const pqxx::sql_error &e) {
        if (e.sqlstate() == what || string(e.what()).find(what) != string::npos) return;
        throw std::runtime_error("error " + e.sqlstate() + " " + e.what() + ", not " + what);
    } catch (const std::exception &e) {
        if (string(e.what()).find(what) != string::npos) return;
        throw std::runtime_error(string("error ") + e.what() + ", not " + what);
    }
    throw std::runtime_error("no error " + what);
}

using pids_seen = std::set<std::pair<int, int>>;

void moved(const pids_seen &pids) {
    std::set<int> clients;
    for (const auto &p : pids) clients.insert(p.first);
    if (moves != (pids.size() > clients.size())) throw std::runtime_error("statements were done by " + to_string(pids.size()) + " server processes");
}

string where(const string &more = "") { return "host=127.0.0.1 connect_timeout=10 " + more; }

vector<std::unique_ptr<pqxx::connection>> clients(int count) {
    vector<std::unique_ptr<pqxx::connection>> some;
    for (int i = 0; i < count; i++) some.push_back(std::make_unique<pqxx::connection>(where()));
    return some;
}

feature login("login", [] {
    pqxx::connection c(where("application_name=features-of-libpqxx"));
    pqxx::nontransaction t(c);
    const auto row = t.exec1("select current_user, current_setting('application_name')");
    equal(row[0].as<string>() + " " + row[1].as<string>(), env("PGUSER") + " features-of-libpqxx");
    fails("password authentication failed", [] { pqxx::connection(where("password=wrong")); });
});

feature tls("tls", [] {
    pqxx::connection c("host=localhost sslmode=verify-full sslrootcert=" + env("FEATURES_CA"));
    equal(pqxx::nontransaction(c).exec1("select 1")[0].as<int>(), 1);
    fails("certificate verify failed", [] { pqxx::connection("host=localhost sslmode=verify-full sslrootcert=" + env("FEATURES_OTHER_CA")); });
    fails("does not match host name", [] { pqxx::connection("host=127.0.0.1 sslmode=verify-full sslrootcert=" + env("FEATURES_CA")); });
});

feature hosts("hosts", [] {
    pqxx::connection c("host=127.0.0.1,127.0.0.1 port=" + env("FEATURES_DEAD_PORT") + "," + env("PGPORT") + " target_session_attrs=primary");
    equal(pqxx::nontransaction(c).exec1("select 5")[0].as<int>(), 5);
});

feature settings("settings", [] {
    vector<std::unique_ptr<pqxx::connection>> some;
    pids_seen pids;
    for (int i = 0; i < 5; i++) {
        some.push_back(std::make_unique<pqxx::connection>(where("options='-c search_path=s" + to_string(i) + "'")));
        some[i]->set_variable("timezone", "'Etc/GMT+" + to_string(i) + "'");
        pqxx::nontransaction(*some[i]).exec0("set app.mine to '" + to_string(i) + "'");
    }
    for (int n = 0; n < 5; n++) {
        auto holder = std::make_unique<pqxx::work>(*some[n]); // somebody else has to do without this one's server connection
        holder->exec("select 1");
        for (int i = 0; i < 5; i++) {
            const string sql = "select current_setting('search_path') || ' ' || current_setting('timezone') || ' ' || current_setting('app.mine'), pg_backend_pid()";
            const auto row = i == n ? holder->exec1(sql) : pqxx::nontransaction(*some[i]).exec1(sql);
            equal(row[0].as<string>(), "s" + to_string(i) + " Etc/GMT+" + to_string(i) + " " + to_string(i));
            pids.insert({i, row[1].as<int>()});
        }
        holder->commit();
    }
    moved(pids);
});

feature types("types", [] {
    pqxx::connection c(where());
    pqxx::work t(c);
    for (int n = 0; n < 3; n++) {
        const auto row = t.exec_params1("select $1::int, $2::bigint, $3::float8, $4::bool, $5::text, $6::text, $7::timestamptz::text", 1, 1LL << 40, 1.5, true,
                                        "ä€'\\", nullptr, "2024-02-29 12:30:15+00");
        equal(row[0].as<int>() + row[1].as<long long>(), (1LL << 40) + 1);
        equal(row[2].as<double>(), 1.5);
        equal(row[3].as<bool>(), true);
        equal(row[4].as<string>(), "ä€'\\");
        equal(row[5].is_null(), true);
        equal(row[6].as<string>(), "2024-02-29 12:30:15+00");
    }
    auto parser = t.exec1("select '{1,NULL,\"a,b\"}'::text[]")[0].as_array();
    string items;
    for (auto item = parser.get_next(); item.first != pqxx::array_parser::done; item = parser.get_next()) items += item.second + ";";
    equal(items, ";1;;a,b;;");
});

feature binary("binary", [] {
    pqxx::connection c(where());
    pqxx::work t(c);
    const string bytes("\0\xff'\\x", 5);
    const pqxx::binarystring blob(bytes);
    const auto row = t.exec_params1("select $1::bytea, length($1)", blob);
    equal(pqxx::binarystring(row[0]).str() == bytes, true);
    equal(row[1].as<int>(), 5);
});

feature large("large", [] {
    pqxx::connection c(where());
    const auto row = pqxx::nontransaction(c).exec_params1("select length($1), repeat('y', 3000000)", string(3000000, 'x'));
    equal(row[0].as<int>(), 3000000);
    equal(row[1].as<string>() == string(3000000, 'y'), true);
});

feature prepared("prepared", [] {
    auto some = clients(5);
    pids_seen pids;
    for (int i = 0; i < 5; i++) some[i]->prepare("mine", "select name, " + to_string(i) + ", pg_backend_pid() from feature_items where id = $1");
    for (int n = 1; n <= 6; n++) {
        auto holder = std::make_unique<pqxx::work>(*some[n % 5]);
        holder->exec("select 1");
        for (int i = 0; i < 5; i++) {
            const auto row = i == n % 5 ? holder->exec_prepared1("mine", n) : pqxx::nontransaction(*some[i]).exec_prepared1("mine", n);
            equal(row[0].as<string>() + " " + row[1].as<string>(), "item " + to_string(n) + " " + to_string(i));
            pids.insert({i, row[2].as<int>()});
        }
    }
    some[0]->unprepare("mine");
    fails("Unknown prepared statement", [&] { pqxx::nontransaction(*some[0]).exec_prepared("mine", 1); });
    equal(pqxx::nontransaction(*some[1]).exec_prepared1("mine", 1)[0].as<string>(), "item 1");
    moved(pids);
});

feature cursor("cursor", [] {
    auto some = clients(2);
    pqxx::work one(*some[0]), two(*some[1]);
    pqxx::stateless_cursor<pqxx::cursor_base::read_only, pqxx::cursor_base::owned> random(one, "select n from generate_series(1, 1000) n", "mine", false);
    pqxx::icursorstream stream(two, "select n * 2 from generate_series(1, 1000) n", "mine", 70);
    equal(random.size(), 1000u);
    int next = 0;
    pqxx::result part;
    while (stream.get(part), !part.empty()) {
        for (const auto &row : part) equal(row[0].as<int>(), ++next * 2);
        equal(random.retrieve(next - 10, next)[9][0].as<int>(), next);
        equal(two.exec1("select 7")[0].as<int>(), 7);
    }
    equal(next, 1000);
});

feature hold("hold", [] {
    pqxx::connection c(where());
    pqxx::nontransaction t(c);
    pqxx::stateless_cursor<pqxx::cursor_base::read_only, pqxx::cursor_base::owned> random(t, "select n from generate_series(1, 100) n", "kept", true);
    equal(random.retrieve(50, 60)[0][0].as<int>(), 51);
    equal(random.retrieve(9, 8)[0][0].as<int>(), 10);
    random.close();
});

feature batch("batch", [] {
    pqxx::connection c(where());
    pqxx::work t(c);
    pqxx::pipeline p(t);
    p.retain(20);
    vector<pqxx::pipeline::query_id> ids;
    for (int i = 0; i < 100; i++) ids.push_back(p.insert("select " + to_string(i)));
    for (int i = 99; i >= 0; i--) equal(p.retrieve(ids[i])[0][0].as<int>(), i);
    ids.clear();
    ids.push_back(p.insert("select 1"));
    ids.push_back(p.insert("select 1 / 0"));
    p.complete();
    fails("22012", [&] { p.retrieve(ids[1]); });
});

feature copyin("copyin", [] {
    pqxx::connection c(where());
    {
        pqxx::work t(c);
        pqxx::stream_to s(t, "feature_items", vector<string>{"id", "name"});
        for (int i = 2000; i < 7000; i++) s << std::make_tuple(i, "copied " + to_string(i));
        s.complete();
        equal(t.exec1("select count(*) || min(name) from feature_items where id >= 2000")[0].as<string>(), "5000copied 2000");
    }
    fails("22P02", [&] {
        pqxx::work t(c);
        pqxx::stream_to s(t, "feature_items", vector<string>{"id", "name"});
        s << std::make_tuple("no number", "x");
        s.complete();
    });
    equal(pqxx::nontransaction(c).exec1("select count(*) from feature_items")[0].as<int>(), 100);
});

feature copyout("copyout", [] {
    pqxx::connection c(where());
    pqxx::work t(c);
    pqxx::stream_from s(t, "feature_items", vector<string>{"id", "name"});
    string line; // into tuples it reads by a flag that nobody has set
    int count = 0;
    while (s.get_raw_line(line)) {
        const auto tab = line.find('\t');
        equal(line.substr(tab + 1, line.find('\n') - tab - 1), "item " + line.substr(0, tab));
        count++;
    }
    s.complete();
    equal(count, 100);
    equal(t.exec1("select 1")[0].as<int>(), 1);
});

class receiver : public pqxx::notification_receiver {
public:
    vector<string> got;
    using notification_receiver::notification_receiver;
    void operator()(const string &payload, int) override { got.push_back(payload); }
};

feature listen("listen", [] {
    auto some = clients(2);
    receiver r(*some[0], "feature_channel");
    for (int i = 0; i < 3; i++) pqxx::nontransaction(*some[1]).exec_params("select pg_notify('feature_channel', $1)", "payload " + to_string(i));
    for (int i = 0; i < 20 && r.got.size() < 3; i++) some[0]->await_notification(0, 500000);
    equal(r.got.size(), 3u);
    for (int i = 0; i < 3; i++) equal(r.got[i], "payload " + to_string(i));
});

feature cancel("cancel", [] {
    auto some = clients(2);
    for (int n = 0; n < 2; n++) {
        std::thread later([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
            some[0]->cancel_query();
        });
        fails("57014", [&] { pqxx::nontransaction(*some[0]).exec("select pg_sleep(20)"); });
        later.join();
        for (auto &c : some) equal(pqxx::nontransaction(*c).exec1("select 3")[0].as<int>(), 3);
    }
});

feature transactions("transactions", [] {
    auto some = clients(2);
    {
        pqxx::transaction<pqxx::repeatable_read> t(*some[0]);
        equal(t.exec1("select name from feature_items where id = 1")[0].as<string>(), "item 1");
        pqxx::nontransaction(*some[1]).exec0("update feature_items set name = 'changed' where id = 1");
        fails("could not serialize", [&] {
            pqxx::subtransaction s(t, "inner");
            s.exec0("update feature_items set name = 'mine' where id = 1");
        });
        equal(t.exec1("select name from feature_items where id = 1")[0].as<string>(), "item 1");
        t.commit();
    }
    pqxx::nontransaction(*some[1]).exec0("update feature_items set name = 'item 1' where id = 1");
    pqxx::transaction<pqxx::serializable, pqxx::read_only> t(*some[0]);
    fails("25006", [&] { t.exec0("delete from feature_items"); });
});

feature errors("errors", [] {
    pqxx::connection c(where());
    fails("23505", [&] { pqxx::work(c).exec_params("insert into feature_items values ($1, 'x', 0)", 1); });
    fails("42703", [&] { pqxx::work(c).exec("select nothing_like_it"); });
    struct hearing : pqxx::errorhandler {
        string heard;
        using errorhandler::errorhandler;
        bool operator()(const char said[]) noexcept override { heard += said; return false; }
    } h(c);
    pqxx::nontransaction(c).exec0("do $$ begin raise notice 'heard'; end $$");
    equal(h.heard, "NOTICE:  heard\n");
});

feature lobs("lobs", [] {
    pqxx::connection c(where());
    pqxx::oid id;
    {
        pqxx::work t(c);
        pqxx::largeobjectaccess lob(t);
        id = lob.id();
        for (int i = 0; i < 30; i++) lob.write(string(20000, '\1'));
        lob.seek(10, std::ios::beg);
        lob.write("there");
        t.commit();
    }
    pqxx::work t(c);
    pqxx::largeobjectaccess lob(t, id);
    lob.seek(8, std::ios::beg);
    char data[8];
    equal(lob.read(data, 8), 8);
    equal(string(data, 8), "\1\1there\1");
    lob.remove(t);
    t.commit();
});

feature pool("pool", [] { // robusttransaction and perform(): what looks after connections that break
    pqxx::connection c(where());
    for (int n = 0; n < 3; n++) {
        pqxx::perform([&] {
            pqxx::robusttransaction<> t(c);
            t.exec0("update feature_items set v = v where id = 1");
            t.commit();
        });
    }
});

} // namespace

int main(int argc, char **argv) {
    std::cout << "version libpqxx " << PQXX_VERSION << std::endl;
    std::set<string> wanted(argv + 1, argv + argc);
    for (const auto &f : features) {
        if (!wanted.empty() && !wanted.count(f.first)) continue;
        std::cout << "begin " << f.first << std::endl;
        try {
            f.second();
            std::cout << f.first << " ok" << std::endl;
        } catch (const std::exception &e) {
            string said = e.what();
            for (char &c : said) c = c == '\n' ? ' ' : c;
            std::cout << f.first << " failed " << said << std::endl;
        }
    }
    std::cout << "end" << std::endl;
}
