// lib/pq, by database/sql: kept statements, binary parameters, COPY FROM, its Listener, cancels by contexts.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"
)

func openPq(more string) *sql.DB {
	db, err := sql.Open("postgres", address+more)
	check(err)
	db.SetMaxOpenConns(1)
	return db
}

// pqValues: all values, row by row.
func pqValues(rows *sql.Rows, err error) ([]any, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	check(err)
	var all []any
	for rows.Next() {
		row, into := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i, v := range row {
			if b, is := v.([]byte); is {
				row[i] = string(b)
			}
		}
		all = append(all, row...)
	}
	return all, rows.Err()
}

func ask(db interface {
	Query(string, ...any) (*sql.Rows, error)
}, text string, args ...any) []any {
	got, err := pqValues(db.Query(text, args...))
	check(err)
	return got
}

var pqFeatures = []feature{
	{"login", func(ctx context.Context) {
		db := openPq("application_name=features-of-pq")
		defer db.Close()
		equal(ask(db, "select current_user::text, current_setting('application_name')"), []any{user, "features-of-pq"})
		fails("28P01", openPq("password=wrong").Ping())
		fails("3D000", openPq("dbname=nowhere_at_all").Ping())
	}},
	{"tls", func(ctx context.Context) {
		try := func(host, root string) error {
			db, err := sql.Open("postgres", "host="+host+" sslmode=verify-full sslrootcert="+root)
			check(err)
			defer db.Close()
			return db.Ping()
		}
		check(try("localhost", ca))
		fails("certificate signed by unknown authority", try("localhost", otherCA))
		fails("cannot validate certificate for 127.0.0.1", try("127.0.0.1", ca))
	}},
	{"settings", func(ctx context.Context) {
		var some []*sql.DB
		for i := 0; i < 5; i++ {
			db := openPq(fmt.Sprintf("search_path=s%d app.mine=%d", i, i))
			defer db.Close()
			_, err := db.Exec(fmt.Sprintf("set timezone to 'Etc/GMT+%d'", i))
			check(err)
			some = append(some, db)
		}
		pids := map[pid]bool{}
		for n := range some {
			t, err := some[n].Begin() // somebody else has to do without this one's server connection
			check(err)
			ask(t, "select 1")
			for i, db := range some {
				text := "select current_setting('search_path'), current_setting('app.mine'), current_setting('timezone'), pg_backend_pid()"
				var got []any
				if i == n {
					got = ask(t, text)
				} else {
					got = ask(db, text)
				}
				equal(got[:3], []any{fmt.Sprintf("s%d", i), fmt.Sprint(i), fmt.Sprintf("Etc/GMT+%d", i)})
				pids[pid{i, int(got[3].(int64))}] = true
			}
			check(t.Commit())
		}
		moved(pids)
	}},
	{"types", func(ctx context.Context) { pqTypes("") }},
	{"binary", func(ctx context.Context) { pqTypes("binary_parameters=yes") }},
	{"large", func(ctx context.Context) {
		db := openPq("")
		defer db.Close()
		got := ask(db, "select length($1), repeat('y', 3000000)", strings.Repeat("x", 3000000))
		equal(got[0], int64(3000000))
		equal(got[1] == strings.Repeat("y", 3000000), true)
	}},
	{"prepared", func(ctx context.Context) {
		pids := map[pid]bool{}
		var some []*sql.DB
		var kept []*sql.Stmt
		for i := 0; i < 5; i++ {
			db := openPq([]string{"", "binary_parameters=yes"}[i%2])
			defer db.Close()
			s, err := db.Prepare(fmt.Sprintf("select name, %d, pg_backend_pid() from feature_items where id = $1", i))
			check(err)
			some, kept = append(some, db), append(kept, s)
		}
		for n := 1; n <= 6; n++ {
			t, err := some[n%5].Begin() // somebody else has to do without this one's server connection
			check(err)
			ask(t, "select 1")
			for i, s := range kept {
				if i == n%5 {
					s = t.Stmt(s)
				}
				got, err := pqValues(s.Query(n))
				check(err)
				equal(got[:2], []any{fmt.Sprintf("item %d", n), int64(i)})
				pids[pid{i, int(got[2].(int64))}] = true
				if i != n%5 {
					equal(ask(some[i], "select $1::int + 1", n), []any{int64(n + 1)})
				}
			}
			check(t.Commit())
		}
		for _, s := range kept {
			check(s.Close())
		}
		moved(pids)
	}},
	{"copyin", func(ctx context.Context) {
		db := openPq("")
		defer db.Close()
		check(pqCopy(db, 2000, 7000))
		equal(ask(db, "select count(*), min(name) from feature_items where id >= 2000"), []any{int64(5000), "copied 2000"})
		fails("23505", pqCopy(db, 2000, 2010))
		_, err := db.Exec("delete from feature_items where id >= $1", 2000)
		check(err)
		equal(ask(db, "select count(*) from feature_items"), []any{int64(100)})
	}},
	{"listen", func(ctx context.Context) {
		events := make(chan string, 10)
		l := pq.NewListener(address, 10*time.Millisecond, time.Second, func(e pq.ListenerEventType, err error) { events <- fmt.Sprint(e, err) })
		defer l.Close()
		check(l.Listen("feature_channel"))
		equal(<-events, fmt.Sprint(pq.ListenerEventConnected, nil))
		db := openPq("")
		defer db.Close()
		for i := 0; i < 3; i++ {
			ask(db, "select pg_notify('feature_channel', $1)", fmt.Sprintf("payload %d ü", i))
		}
		for i := 0; i < 3; i++ {
			select {
			case n := <-l.Notify:
				equal(n.Channel+" "+n.Extra, fmt.Sprintf("feature_channel payload %d ü", i))
			case <-time.After(10 * time.Second):
				panic("nothing heard")
			}
		}
		check(l.Ping())
		check(l.Unlisten("feature_channel"))
		ask(db, "select pg_notify('feature_channel', 'late')")
		check(l.Ping())
		select {
		case n := <-l.Notify:
			panic(fmt.Sprint("heard ", n))
		case <-time.After(200 * time.Millisecond):
		}
	}},
	{"cancel", func(ctx context.Context) {
		db, other := openPq(""), openPq("")
		defer db.Close()
		defer other.Close()
		for n := 0; n < 2; n++ {
			soon, stop := context.WithTimeout(ctx, 300*time.Millisecond)
			begun := time.Now()
			_, err := pqValues(db.QueryContext(soon, "select pg_sleep(20), $1::int", n))
			fails("57014", err)
			stop()
			equal(time.Since(begun) < 10*time.Second, true)
			equal(ask(db, "select 3"), []any{int64(3)})
			equal(ask(other, "select $1::int", n), []any{int64(n)})
		}
	}},
	{"transactions", func(ctx context.Context) {
		db, other := openPq(""), openPq("")
		defer db.Close()
		defer other.Close()
		t, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		check(err)
		equal(ask(t, "select name from feature_items where id = $1", 1), []any{"item 1"})
		_, err = other.Exec("update feature_items set name = 'changed' where id = $1", 1)
		check(err)
		_, err = t.Exec("savepoint s")
		check(err)
		_, err = t.Exec("update feature_items set name = 'mine' where id = $1", 1)
		fails("40001", err)
		_, err = t.Exec("rollback to s")
		check(err)
		equal(ask(t, "select name from feature_items where id = $1", 1), []any{"item 1"})
		check(t.Commit())
		_, err = other.Exec("update feature_items set name = 'item 1' where id = $1", 1)
		check(err)
		t, err = db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
		check(err)
		_, err = t.Exec("delete from feature_items")
		fails("25006", err)
		check(t.Rollback())
	}},
	{"errors", func(ctx context.Context) {
		base, err := pq.NewConnector(address)
		check(err)
		var heard []string
		db := sql.OpenDB(pq.ConnectorWithNoticeHandler(base, func(n *pq.Error) { heard = append(heard, n.Message) }))
		db.SetMaxOpenConns(1)
		defer db.Close()
		for n := 0; n < 3; n++ {
			_, err := db.Exec("insert into feature_items values ($1, 'x', 0)", 1)
			fails("23505", err)
			equal(err.(*pq.Error).Constraint+" "+err.(*pq.Error).Table, "feature_items_pkey feature_items")
			_, err = db.Exec("select nothing_like_it, $1::int", 1)
			fails("42703", err)
			_, err = db.Exec("select 1 / $1::int", 0)
			fails("22012", err)
			equal(ask(db, "select $1::int", 8), []any{int64(8)})
		}
		_, err = db.Exec("do $$ begin raise notice 'heard'; end $$")
		check(err)
		equal(heard, []string{"heard"})
	}},
	{"pool", func(ctx context.Context) {
		db, err := sql.Open("postgres", address)
		check(err)
		defer db.Close()
		db.SetMaxOpenConns(6)
		db.SetConnMaxLifetime(100 * time.Millisecond)
		atOnce(100, func(i int) { equal(ask(db, "select $1::int", i), []any{int64(i)}) })
		check(db.Ping())
	}},
}

func pqTypes(more string) {
	db := openPq(more)
	defer db.Close()
	when := time.Date(2024, 2, 29, 12, 30, 15, 123456000, time.UTC)
	for n := 0; n < 3; n++ {
		got := ask(db, "select $1::int, $2::bigint, $3::float8, $4::bool, $5::text, $6::bytea, $7::timestamptz, $8::int[], $9::text",
			1, int64(1)<<40, 1.5, true, "ä€𝄞'\\", []byte{0, 255, 39}, when, pq.Array([]int64{1, 2, 3}), nil)
		equal(got[6].(time.Time).Equal(when), true)
		got[6] = nil
		equal(got, []any{int64(1), int64(1) << 40, 1.5, true, "ä€𝄞'\\", "\x00\xff'", nil, "{1,2,3}", nil})
		var texts []string
		check(db.QueryRow("select $1::text[]", pq.Array([]string{"a,b", "\""})).Scan(pq.Array(&texts)))
		equal(texts, []string{"a,b", "\""})
	}
}

func pqCopy(db *sql.DB, from, to int) error {
	t, err := db.Begin()
	check(err)
	defer t.Rollback()
	s, err := t.Prepare(pq.CopyIn("feature_items", "id", "name"))
	check(err)
	for i := from; i < to; i++ {
		if _, err := s.Exec(i, fmt.Sprintf("copied %d", i)); err != nil {
			return err
		}
	}
	if _, err := s.Exec(); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	return t.Commit()
}
