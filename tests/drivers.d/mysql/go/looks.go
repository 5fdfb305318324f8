// looks - what go-sql-driver/mysql sees; ../README.md.
package main

import (
	"context"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

const emoji = "ü – 漢字 – 🐬 – \\ ' \" \n%"

var (
	ctx      = context.Background()
	megabyte = []byte(strings.Repeat("0123456789abcde\xff", 1<<16))
)

func env(name string) string { return os.Getenv("MY_" + name) }

func see(what string, values ...any) {
	for _, v := range values {
		text := fmt.Sprintf("%q", fmt.Sprint(v))
		if len(text) > 2000 {
			text = fmt.Sprintf("%d %x", len(text), md5.Sum([]byte(text)))
		}
		what += " " + text
	}
	fmt.Println(what)
}

func fine(err error) {
	if err != nil {
		panic(err)
	}
}

func trust(name, file string) {
	pem, err := os.ReadFile(file)
	fine(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	fine(mysql.RegisterTLSConfig(name, &tls.Config{RootCAs: pool, ServerName: env("HOST")}))
}

func open(change func(*mysql.Config)) *sql.DB {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName = "tcp", env("HOST")+":"+env("PORT"), env("USER"), env("PASSWORD"), env("DATABASE")
	c.Logger = &mysql.NopLogger{}
	if env("CA") != "" {
		c.TLSConfig = "ours"
	}
	if change != nil {
		change(c)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		panic(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(4)
	return db
}

// one connection of a pool of its own.
func one(change func(*mysql.Config), work func(*sql.Conn)) {
	db := open(change)
	defer db.Close()
	c, err := db.Conn(ctx)
	fine(err)
	defer c.Close()
	work(c)
}

type querier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

func rows(q querier, text string, args ...any) ([][]any, error) {
	found, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	return read(found)
}

func read(found *sql.Rows) (all [][]any, err error) {
	names, err := found.Columns()
	for found.Next() && err == nil {
		row, to := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			to[i] = &row[i]
		}
		err = found.Scan(to...)
		for i := range row {
			if b, is := row[i].([]byte); is {
				row[i] = string(b)
			}
		}
		all = append(all, row)
	}
	if err == nil {
		err = found.Err()
	}
	return all, err
}

func ask(what string, q querier, text string, args ...any) {
	all, err := rows(q, text, args...)
	if err != nil {
		told(what, err)
		return
	}
	see(what, len(all))
	for _, row := range all {
		see(" ", row...)
	}
}

func told(what string, err error) {
	var mine *mysql.MySQLError
	if errors.As(err, &mine) {
		see(what, mine.Number, string(mine.SQLState[:]), mine.Message)
	} else {
		see(what, err)
	}
}

func login() {
	one(nil, func(c *sql.Conn) { ask("me", c, "select 1, current_user(), database(), @@character_set_client, @@collation_connection") })
	one(func(c *mysql.Config) { c.DBName = "" }, func(c *sql.Conn) { ask("none", c, "select database()") })
	for _, change := range []func(*mysql.Config){func(c *mysql.Config) { c.Passwd = "wrong" }, func(c *mysql.Config) { c.User = "nobody" }} {
		db := open(change)
		told("login", db.Ping())
		db.Close()
	}
	set := func(c *mysql.Config) { c.Params = map[string]string{"sql_mode": "'ANSI'"}; c.Collation = "latin1_german1_ci" }
	one(set, func(c *sql.Conn) { ask("set", c, "select @@sql_mode, @@collation_connection") })
}

func tlsOnly() {
	if env("CA") == "" {
		fmt.Println("-")
		return
	}
	one(nil, func(c *sql.Conn) { fmt.Println("encrypted yes") })
	for _, name := range []string{"stranger", "false"} {
		db := open(func(c *mysql.Config) { c.TLSConfig = name })
		if err := db.Ping(); err == nil {
			fmt.Println(name, "taken")
		} else {
			told(name, err)
		}
		db.Close()
	}
}

func types() {
	one(nil, func(c *sql.Conn) {
		found, err := c.QueryContext(ctx, "select * from d_types where id < 3 order by id")
		fine(err)
		kinds, _ := found.ColumnTypes()
		for _, k := range kinds {
			size, hasSize := k.Length()
			p, s, _ := k.DecimalSize()
			null, _ := k.Nullable()
			see(k.Name(), k.DatabaseTypeName(), k.ScanType(), size, hasSize, p, s, null)
		}
		found.Close()
		ask("all", c, "select * from d_types order by id")
	})
	one(func(c *mysql.Config) { c.ParseTime = true; c.Loc = time.UTC }, func(c *sql.Conn) { ask("times", c, "select da, ti, dt, ts from d_types order by id") })
}

func unicode() {
	for _, inter := range []bool{false, true} {
		one(func(c *mysql.Config) { c.InterpolateParams = inter }, func(c *sql.Conn) {
			_, err := c.ExecContext(ctx, "insert into d_texts (t) values (?)", emoji)
			fine(err)
			ask("texts", c, "select t, length(t), t = ? from d_texts", emoji)
		})
	}
}

func prepared() {
	one(nil, func(c *sql.Conn) {
		ask("types", c, "select * from d_types where id <> ? order by id", 9)
		ask("values", c, "select ?, ?, ?, ?, ?, ?", 1, "x", nil, 1.5, []byte{0, 255}, time.Unix(0, 0).UTC())
		s, err := c.PrepareContext(ctx, "select ? + 1")
		fine(err)
		for i := 0; i < 3; i++ {
			found, err := s.Query(i)
			fine(err)
			all, err := read(found)
			see("again", all, err)
		}
		fine(s.Close())
		_, err = c.PrepareContext(ctx, "select * from nowhere where a = ?")
		told("error", err)
		_, err = c.ExecContext(ctx, "insert into d_money values (?, ?)", 1, -1)
		told("error", err)
		ask("call", c, "call d_out(?, @b, @c)", 1)
	})
}

func results() {
	one(func(c *mysql.Config) { c.MultiStatements = true }, func(c *sql.Conn) {
		for _, text := range []string{"select 1; select 'two', 2; do 1; select 3", "call d_two()", "select 1; selec"} {
			found, err := c.QueryContext(ctx, text)
			fine(err)
			for more := true; more; more = found.NextResultSet() {
				all, err := read(found)
				see("result", all, err)
			}
			if err := found.Err(); err != nil {
				told("at last", err)
			}
			found.Close()
		}
	})
	one(nil, func(c *sql.Conn) { ask("one only", c, "select 1; select 2") })
}

func keys() {
	for _, found := range []bool{false, true} {
		one(func(c *mysql.Config) { c.ClientFoundRows = found }, func(c *sql.Conn) {
			for _, text := range []string{"insert into d_keys (v) values (1), (2)", "update d_keys set v = 7", "update d_keys set v = 7", "delete from d_keys",
				"insert into d_keys (id) values (1 << 40)", "truncate d_keys"} {
				r, err := c.ExecContext(ctx, text)
				fine(err)
				id, _ := r.LastInsertId()
				n, _ := r.RowsAffected()
				see(text, id, n)
			}
		})
	}
}

func transactions() {
	db := open(nil)
	defer db.Close()
	for i, end := range []func(*sql.Tx) error{(*sql.Tx).Rollback, (*sql.Tx).Commit} {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		fine(err)
		_, err = tx.Exec("insert into d_money values (?, 10)", i)
		fine(err)
		ask("inside", tx, "select *, @@in_transaction from d_money")
		fine(end(tx))
		ask("after", db, "select * from d_money")
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	fine(err)
	_, err = tx.Exec("insert into d_money values (9, 10)")
	told("read only", err)
	fine(tx.Rollback())
}

func errs() {
	one(nil, func(c *sql.Conn) {
		for _, text := range []string{"selec", "select * from nowhere", "select nothing", "insert into d_money values ('x', 1)", "insert into d_money values (2, -1)",
			"signal sqlstate '45000' set message_text = 'our ü', mysql_errno = 30001", "select if(seq < 5, seq, (select 1 union select 2)) from seq_1_to_9", ""} {
			ask("error", c, text)
		}
		ask("warnings", c, "select 1/0")
		ask("warnings", c, "show warnings")
	})
}

func large() {
	for _, inter := range []bool{false, true} {
		one(func(c *mysql.Config) { c.InterpolateParams = inter; c.MaxAllowedPacket = 64 << 20 }, func(c *sql.Conn) {
			for i, n := range []int{1, 17, 0} {
				_, err := c.ExecContext(ctx, "replace into d_large values (?, ?)", i, []byte(strings.Repeat(string(megabyte), n)))
				fine(err)
			}
			ask("large", c, "select *, length(data) from d_large where id >= ? order by id", 0)
		})
	}
}

func stream() {
	one(nil, func(c *sql.Conn) {
		found, err := c.QueryContext(ctx, "select seq, repeat('x', 500) from seq_1_to_20000 where seq > ?", 0)
		fine(err)
		n := 0
		for found.Next() {
			n++
		}
		see("rows", n, found.Err())
		found, err = c.QueryContext(ctx, "select seq from seq_1_to_20000")
		fine(err)
		see("first", found.Next(), found.Close())
		ask("after", c, "select 1")
	})
}

// The driver resets nothing by the protocol; what a pool's next borrower finds is the session.
func pool() {
	db := open(nil)
	defer db.Close()
	var all sync.WaitGroup
	got := make([]any, 20)
	for i := range got {
		all.Add(1)
		go func() {
			defer all.Done()
			var n int
			if err := db.QueryRow("select ? from (select sleep(0.01)) s", i).Scan(&n); err != nil {
				got[i] = err
			} else {
				got[i] = n
			}
		}()
	}
	all.Wait()
	see("got", got...)
}

func ping() {
	one(nil, func(c *sql.Conn) { see("ping", c.PingContext(ctx)); ask("after", c, "select 1") })
}

func timeout() {
	one(nil, func(c *sql.Conn) {
		short, stop := context.WithTimeout(ctx, 500*time.Millisecond)
		defer stop()
		_, err := c.ExecContext(short, "do sleep(2)")
		told("context", err)
		told("later", c.PingContext(ctx))
	})
	one(func(c *mysql.Config) { c.ReadTimeout = time.Second }, func(c *sql.Conn) { ask("reading", c, "select sleep(2)") })
	one(nil, func(c *sql.Conn) {
		ask("set", c, "set max_statement_time = 0.5")
		ask("server", c, "select count(*) from seq_1_to_100000 a, seq_1_to_100000 b where a.seq <> b.seq * 7")
	})
}

func kill() {
	one(nil, func(c *sql.Conn) {
		one(nil, func(other *sql.Conn) {
			all, err := rows(c, "select connection_id()")
			fine(err)
			said := make(chan error)
			go func() {
				time.Sleep(700 * time.Millisecond)
				_, err := other.ExecContext(ctx, fmt.Sprint("kill query ", all[0][0]))
				said <- err
			}()
			ask("ended", c, "select sleep(3)")
			see("killer", <-said)
			ask("later", c, "select 1")
		})
	})
}

func attributes() {
	one(func(c *mysql.Config) { c.ConnectionAttributes = "program_name:looks,long:" + strings.Repeat("x", 300) }, func(c *sql.Conn) { ask("attributes", c, "select 1") })
}

func compress() {
	one(func(c *mysql.Config) { fine(c.Apply(mysql.EnableCompression(true))) }, func(c *sql.Conn) {
		ask("compressed", c, "select repeat('x', 100000)")
		ask("compressed", c, "select 1")
	})
}

func infile() {
	one(func(c *mysql.Config) { c.AllowAllFiles = true }, func(c *sql.Conn) {
		_, err := c.ExecContext(ctx, "load data local infile '"+env("FOLDER")+"/rows.txt' into table d_loaded")
		told("loaded", err)
		ask("rows", c, "select * from d_loaded")
	})
}

func try(name string, work func()) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Printf("raised %q\n", fmt.Sprint(r))
		}
	}()
	fmt.Println("begin", name)
	work()
}

func main() {
	if env("CA") != "" {
		trust("ours", env("CA"))
		trust("stranger", env("OTHER_CA"))
	}
	info, _ := debug.ReadBuildInfo()
	for _, d := range info.Deps {
		if d.Path == "github.com/go-sql-driver/mysql" {
			fmt.Println("version go-sql-driver/mysql", strings.TrimPrefix(d.Version, "v"))
		}
	}
	for _, f := range []struct {
		name string
		work func()
	}{{"login", login}, {"tls", tlsOnly}, {"types", types}, {"unicode", unicode}, {"prepared", prepared}, {"results", results}, {"keys", keys},
		{"transactions", transactions}, {"errors", errs}, {"large", large}, {"stream", stream}, {"ping", ping}, {"pool", pool}, {"timeout", timeout},
		{"kill", kill}, {"attributes", attributes}, {"compress", compress}, {"infile", infile}} {
		try(f.name, f.work)
	}
	fmt.Println("end")
}
