// pgx: statement and description caches, batches and pipelines, binary COPY, its types, its pool.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

func moduleVersion(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == path {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return ""
}

type pgxConn struct{ *pgx.Conn }

func openPgx(ctx context.Context, more string) pgxConn {
	c, err := pgx.Connect(ctx, address+more)
	check(err)
	return pgxConn{c}
}

type asks interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func values(ctx context.Context, c asks, sql string, args ...any) []any {
	got, err := tryValues(ctx, c, sql, args...)
	check(err)
	return got
}

// tryValues: all values, row by row.
func tryValues(ctx context.Context, c asks, sql string, args ...any) ([]any, error) {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []any
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return nil, err
		}
		all = append(all, row...)
	}
	return all, rows.Err()
}

func (c pgxConn) exec(ctx context.Context, sql string, args ...any) {
	_, err := c.Exec(ctx, sql, args...)
	check(err)
}

var pgxModes = []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}

var pgxFeatures = []feature{
	{"login", func(ctx context.Context) {
		c := openPgx(ctx, "application_name=features-of-pgx")
		defer c.Close(ctx)
		equal(values(ctx, c, "select current_user::text, current_setting('application_name')"), []any{user, "features-of-pgx"})
		check(c.Ping(ctx))
		_, err := pgx.Connect(ctx, address+"password=wrong")
		fails("28P01", err)
		_, err = pgx.Connect(ctx, address+"dbname=nowhere_at_all")
		fails("3D000", err)
	}},
	{"tls", func(ctx context.Context) {
		c, err := pgx.Connect(ctx, "host=localhost sslmode=verify-full sslrootcert="+ca)
		check(err)
		defer c.Close(ctx)
		equal(values(ctx, c, "select 1"), []any{int32(1)})
		_, err = pgx.Connect(ctx, "host=localhost sslmode=verify-full sslrootcert="+otherCA)
		fails("certificate signed by unknown authority", err)
		_, err = pgx.Connect(ctx, "host=127.0.0.1 sslmode=verify-full sslrootcert="+ca)
		fails("cannot validate certificate for 127.0.0.1", err)
	}},
	{"hosts", func(ctx context.Context) {
		url := fmt.Sprintf("postgresql://%s:%s@127.0.0.1:%s,127.0.0.1:%s/%s?sslmode=disable&target_session_attrs=", user, password, deadPort, port, database)
		for _, wanted := range []string{"any", "read-write", "primary", "prefer-standby"} {
			c, err := pgx.Connect(ctx, url+wanted)
			check(err)
			equal(values(ctx, c, "select 5"), []any{int32(5)})
			c.Close(ctx)
		}
		_, err := pgx.Connect(ctx, url+"standby")
		fails("server is not in hot standby mode", err)
	}},
	{"settings", func(ctx context.Context) {
		var some []pgxConn
		for i := 0; i < 5; i++ {
			c := openPgx(ctx, fmt.Sprintf("search_path=s%d app.mine=%d", i, i))
			defer c.Close(ctx)
			c.exec(ctx, fmt.Sprintf("set timezone to 'Etc/GMT+%d'", i))
			some = append(some, c)
		}
		pids := map[pid]bool{}
		for n := range some {
			some[n].exec(ctx, "begin") // somebody else has to do without this one's server connection
			some[n].exec(ctx, "select 1")
			for i, c := range some {
				got := values(ctx, c, "select current_setting('search_path'), current_setting('app.mine'), current_setting('timezone'), pg_backend_pid()")
				equal(got[:3], []any{fmt.Sprintf("s%d", i), fmt.Sprint(i), fmt.Sprintf("Etc/GMT+%d", i)})
				equal(c.PgConn().ParameterStatus("TimeZone"), got[2])
				pids[pid{i, int(got[3].(int32))}] = true
			}
			some[n].exec(ctx, "commit")
		}
		moved(pids)
	}},
	{"types", func(ctx context.Context) { // in text
		c := openPgx(ctx, "default_query_exec_mode=simple_protocol")
		defer c.Close(ctx)
		typesThereAndBack(ctx, c, pgx.QueryResultFormats{pgx.TextFormatCode})
	}},
	{"binary", func(ctx context.Context) {
		for _, mode := range pgxModes[:4] {
			c := openPgx(ctx, "default_query_exec_mode="+mode)
			typesThereAndBack(ctx, c, pgx.QueryResultFormats{pgx.BinaryFormatCode})
			c.Close(ctx)
		}
	}},
	{"large", func(ctx context.Context) {
		c := openPgx(ctx, "")
		defer c.Close(ctx)
		for n := 0; n < 3; n++ {
			got := values(ctx, c, "select length($1), repeat('y', 3000000)", strings.Repeat("x", 3000000))
			equal(got[0], int32(3000000))
			equal(got[1] == strings.Repeat("y", 3000000), true)
		}
	}},
	{"prepared", func(ctx context.Context) {
		pids := make([]map[pid]bool, 8)
		atOnce(8, func(i int) {
			pids[i] = map[pid]bool{}
			c := openPgx(ctx, "statement_cache_capacity=3 default_query_exec_mode="+pgxModes[i%5])
			defer c.Close(ctx)
			_, err := c.Prepare(ctx, "mine", fmt.Sprintf("select name, %d::int from feature_items where id = $1", i))
			check(err)
			for n := 1; n <= 8; n++ {
				for k := 0; k < 4; k++ { // one more than are kept
					got := values(ctx, c, fmt.Sprintf("select name, %d::int, %d::int, pg_backend_pid() from feature_items where id = $1", i, k), n)
					equal(got[:3], []any{fmt.Sprintf("item %d", n), int32(i), int32(k)})
					pids[i][pid{i, int(got[3].(int32))}] = true
				}
				equal(values(ctx, c, "mine", n), []any{fmt.Sprintf("item %d", n), int32(i)})
			}
			check(c.Deallocate(ctx, "mine"))
			check(c.DeallocateAll(ctx))
			equal(values(ctx, c, "select $1::int", 5), []any{int32(5)})
		})
		all := map[pid]bool{}
		for _, some := range pids {
			for p := range some {
				all[p] = true
			}
		}
		moved(all)
	}},
	{"batch", func(ctx context.Context) {
		for _, mode := range pgxModes {
			c := openPgx(ctx, "default_query_exec_mode="+mode)
			for n := 0; n < 2; n++ {
				pgxBatch(ctx, c)
			}
			c.Close(ctx)
		}
		c := openPgx(ctx, "")
		defer c.Close(ctx)
		for n := 0; n < 3; n++ {
			pgxPipeline(ctx, c.PgConn(), n)
		}
		results, err := c.PgConn().Exec(ctx, "select 1; select 2").ReadAll()
		check(err)
		equal(len(results), 2)
	}},
	{"copyin", func(ctx context.Context) {
		c := openPgx(ctx, "")
		defer c.Close(ctx)
		count, err := c.CopyFrom(ctx, pgx.Identifier{"feature_items"}, []string{"id", "name", "v"}, pgx.CopyFromSlice(5000, func(i int) ([]any, error) {
			return []any{2000 + i, fmt.Sprintf("copied %d", 2000+i), nil}, nil
		}))
		check(err)
		equal(count, int64(5000))
		equal(values(ctx, c, "select count(*), min(name) from feature_items where id >= 2000"), []any{int64(5000), "copied 2000"})
		c.exec(ctx, "delete from feature_items where id >= $1", 2000)
		_, err = c.CopyFrom(ctx, pgx.Identifier{"feature_items"}, []string{"id", "name"}, pgx.CopyFromRows([][]any{{9000, "x"}, {1, "taken"}}))
		fails("23505", err)
		_, err = c.PgConn().CopyFrom(ctx, strings.NewReader("no number\tx\t1\n"), "copy feature_items from stdin")
		fails("22P02", err)
		_, err = c.PgConn().CopyFrom(ctx, io.MultiReader(strings.NewReader("9000\tx\t1\n"), failing{}), "copy feature_items from stdin")
		fails("changed my mind", err)
		equal(values(ctx, c, "select count(*) from feature_items"), []any{int64(100)})
	}},
	{"copyout", func(ctx context.Context) {
		c := openPgx(ctx, "")
		defer c.Close(ctx)
		var out, expected bytes.Buffer
		_, err := c.PgConn().CopyTo(ctx, &out, "copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout with csv")
		check(err)
		for n := 1; n <= 20000; n++ {
			fmt.Fprintf(&expected, "%d,row %d\n", n, n)
		}
		equal(out.String() == expected.String(), true)
	}},
	{"listen", func(ctx context.Context) {
		c, other := openPgx(ctx, ""), openPgx(ctx, "")
		defer c.Close(ctx)
		defer other.Close(ctx)
		c.exec(ctx, "listen feature_channel")
		for i := 0; i < 3; i++ {
			other.exec(ctx, "select pg_notify('feature_channel', $1)", fmt.Sprintf("payload %d ü", i))
		}
		for i := 0; i < 3; i++ {
			n, err := c.WaitForNotification(ctx)
			check(err)
			equal(n.Channel+" "+n.Payload, fmt.Sprintf("feature_channel payload %d ü", i))
		}
		c.exec(ctx, "unlisten *")
		other.exec(ctx, "notify feature_channel, 'late'")
		soon, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		defer stop()
		_, err := c.WaitForNotification(soon)
		fails("timeout", err)
		equal(values(ctx, c, "select 2"), []any{int32(2)})
	}},
	{"cancel", func(ctx context.Context) {
		c, other := openPgx(ctx, ""), openPgx(ctx, "")
		defer other.Close(ctx)
		for n := 0; n < 2; n++ {
			time.AfterFunc(300*time.Millisecond, func() { check(c.PgConn().CancelRequest(ctx)) })
			_, err := tryValues(ctx, c, "select pg_sleep(20)")
			fails("57014", err)
			equal(values(ctx, c, "select 3"), []any{int32(3)})
			equal(values(ctx, other, "select $1::int", n), []any{int32(n)})
		}
		c.Close(ctx)
		c = openPgx(ctx, "")
		soon, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		defer stop()
		_, err := c.Exec(soon, "select pg_sleep(20), 'given up'")
		fails("timeout", err)
		equal(c.IsClosed(), true)
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // and its query does not go on
			if values(ctx, other, "select count(*) from pg_stat_activity where state = 'active' and query ~ '^select pg_sleep.20., .given up'")[0] == int64(0) {
				break
			}
			equal(time.Now().Before(end), true)
		}
	}},
	{"transactions", func(ctx context.Context) {
		c, other := openPgx(ctx, ""), openPgx(ctx, "")
		defer c.Close(ctx)
		defer other.Close(ctx)
		t, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
		check(err)
		equal(values(ctx, t, "select name from feature_items where id = $1", 1), []any{"item 1"})
		other.exec(ctx, "update feature_items set name = 'changed' where id = $1", 1)
		inner, err := t.Begin(ctx)
		check(err)
		_, err = inner.Exec(ctx, "update feature_items set name = 'mine' where id = $1", 1)
		fails("40001", err)
		check(inner.Rollback(ctx))
		equal(values(ctx, t, "select name from feature_items where id = $1", 1), []any{"item 1"})
		check(t.Commit(ctx))
		other.exec(ctx, "update feature_items set name = 'item 1' where id = $1", 1)
		err = pgx.BeginTxFunc(ctx, c, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.Serializable, DeferrableMode: pgx.Deferrable}, func(t pgx.Tx) error {
			_, err := t.Exec(ctx, "delete from feature_items")
			return err
		})
		fails("25006", err)
		equal(values(ctx, c, "select count(*) from feature_items"), []any{int64(100)})
	}},
	{"errors", func(ctx context.Context) {
		config, err := pgx.ParseConfig(address)
		check(err)
		var heard []string
		config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { heard = append(heard, n.Severity+" "+n.Message) }
		conn, err := pgx.ConnectConfig(ctx, config)
		check(err)
		c := pgxConn{conn}
		defer c.Close(ctx)
		for n := 0; n < 3; n++ {
			_, err := c.Exec(ctx, "insert into feature_items values ($1, 'x', 0)", 1)
			fails("23505", err)
			equal(err.(*pgconn.PgError).ConstraintName+" "+err.(*pgconn.PgError).TableName, "feature_items_pkey feature_items")
			_, err = c.Exec(ctx, "select nothing_like_it, $1::int", 1)
			fails("42703", err)
			_, err = c.Exec(ctx, "select 1 / $1::int", 0)
			fails("22012", err)
			equal(values(ctx, c, "select $1::int", 8), []any{int32(8)})
		}
		c.exec(ctx, "do $$ begin raise notice 'heard'; raise warning 'twice'; end $$")
		equal(heard, []string{"NOTICE heard", "WARNING twice"})
	}},
	{"lobs", func(ctx context.Context) {
		c := openPgx(ctx, "")
		defer c.Close(ctx)
		t, err := c.Begin(ctx)
		check(err)
		lobs := t.LargeObjects()
		oid, err := lobs.Create(ctx, 0)
		check(err)
		lob, err := lobs.Open(ctx, oid, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
		check(err)
		_, err = lob.Write(bytes.Repeat([]byte{7}, 100000))
		check(err)
		_, err = lob.Seek(10, io.SeekStart)
		check(err)
		_, err = lob.Write([]byte("there"))
		check(err)
		check(lob.Truncate(20))
		_, err = lob.Seek(8, io.SeekStart)
		check(err)
		got, err := io.ReadAll(lob)
		check(err)
		equal(string(got), "\a\athere\a\a\a\a\a")
		check(lobs.Unlink(ctx, oid))
		check(t.Commit(ctx))
	}},
	{"pool", func(ctx context.Context) {
		p, err := pgxpool.New(ctx, address+"pool_max_conns=6 pool_max_conn_lifetime=2s pool_health_check_period=100ms")
		check(err)
		defer p.Close()
		check(p.Ping(ctx))
		atOnce(100, func(i int) {
			equal(values(ctx, p, "select $1::int, $2::text", i, fmt.Sprint(i)), []any{int32(i), fmt.Sprint(i)})
		})
		p.Reset()
		check(p.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return c.Ping(ctx) }))
	}},
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fmt.Errorf("changed my mind") }

func typesThereAndBack(ctx context.Context, c pgxConn, format pgx.QueryResultFormats) {
	when := time.Date(2024, 2, 29, 12, 30, 15, 123456000, time.UTC)
	some := []any{int32(1), int64(1) << 40, 1.5, pgtype.Numeric{Int: big.NewInt(123456789), Exp: -4, Valid: true}, true, "ä€𝄞'\\", []byte{0, 255, 39}, when,
		[16]byte{15: 77}, map[string]any{"a": []any{1.0, "ü"}}, pgtype.Interval{Days: 1, Microseconds: 7200000000, Valid: true},
		pgtype.Range[any]{Lower: int32(1), Upper: int32(5), LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true},
		netip.MustParsePrefix("10.0.0.0/8"), nil}
	casts := []string{"int", "bigint", "float8", "numeric", "bool", "text", "bytea", "timestamptz", "uuid", "jsonb", "interval", "int4range", "cidr", "text"}
	var sql []string
	args := append([]any{format}, some...)
	args[9] = pgtype.UUID{Bytes: [16]byte{15: 77}, Valid: true}
	args[10] = `{"a": [1, "ü"]}`
	args[12] = pgtype.Range[pgtype.Int4]{Lower: pgtype.Int4{Int32: 1, Valid: true}, Upper: pgtype.Int4{Int32: 5, Valid: true},
		LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}
	for i, cast := range casts {
		sql = append(sql, fmt.Sprintf("$%d::%s", i+1, cast))
	}
	for n := 0; n < 3; n++ {
		got := values(ctx, c, "select "+strings.Join(sql, ", "), args...)
		got[7] = got[7].(time.Time).UTC()
		equal(got, some)
		var ints []*int32
		var texts []string
		check(c.QueryRow(ctx, "select $1::int[], $2::text[]", []*int32{new(int32), nil}, []string{"a,b", "\""}).Scan(&ints, &texts))
		equal([]any{*ints[0], ints[1] == nil, texts}, []any{int32(0), true, []string{"a,b", "\""}})
	}
}

func pgxBatch(ctx context.Context, c pgxConn) {
	b := &pgx.Batch{}
	for i := 0; i < 100; i++ {
		b.Queue("select $1::int, $2::text", i, fmt.Sprint(i))
		if i%10 == 0 {
			b.Queue("insert into feature_items (id, name) values ($1, $2)", 1000+i, "batch")
		}
	}
	b.Queue("delete from feature_items where id >= $1", 1000)
	r := c.SendBatch(ctx, b)
	for i := 0; i < 100; i++ {
		var n int
		var s string
		check(r.QueryRow().Scan(&n, &s))
		equal(fmt.Sprint(n, s), fmt.Sprint(i, fmt.Sprint(i)))
		if i%10 == 0 {
			_, err := r.Exec()
			check(err)
		}
	}
	tag, err := r.Exec()
	check(err)
	equal(tag.RowsAffected(), int64(10))
	check(r.Close())
	b = &pgx.Batch{}
	b.Queue("insert into feature_items (id, name) values (900, 'lost')")
	b.Queue("select 1 / $1::int", 0)
	b.Queue("select 5")
	fails("22012", c.SendBatch(ctx, b).Close())
	equal(values(ctx, c, "select count(*) from feature_items"), []any{int64(100)})
}

func pgxPipeline(ctx context.Context, c *pgconn.PgConn, n int) {
	p := c.StartPipeline(ctx)
	name := fmt.Sprintf("pipe %d", n)
	p.SendPrepare(name, "select $1::text", nil)
	for i := 0; i < 20; i++ {
		p.SendQueryPrepared(name, [][]byte{[]byte(fmt.Sprint(i))}, nil, nil)
	}
	check(p.Sync())
	p.SendQueryParams("select 1 / $1::int", [][]byte{[]byte("0")}, nil, nil, nil)
	p.SendQueryParams("select 'never'", nil, nil, nil, nil)
	check(p.Sync())
	p.SendDeallocate(name)
	check(p.Sync())
	var got []string
	for len(got) < 25 {
		result, err := p.GetResults()
		if err != nil {
			fails("22012", err)
			got = append(got, "error")
			continue
		}
		switch r := result.(type) {
		case *pgconn.ResultReader:
			read := r.Read()
			check(read.Err)
			got = append(got, string(read.Rows[0][0]))
		case *pgconn.StatementDescription:
			got = append(got, "described")
		case *pgconn.PipelineSync:
			got = append(got, "sync")
		case *pgconn.CloseComplete:
		}
		if result == nil {
			break
		}
	}
	expected := []string{"described"}
	for i := 0; i < 20; i++ {
		expected = append(expected, fmt.Sprint(i))
	}
	equal(got, append(expected, "sync", "error", "sync", "sync"))
	check(p.Close())
}
