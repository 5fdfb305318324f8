// pgx and lib/pq behind the lines of README.md. Modes: pgx-cache_statement, pgx-describe_exec, pgx-exec,
// pgx-simple_protocol; pq-prepared (a kept Stmt for each text), pq-unnamed, pq-binary.
package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/lib/pq"
)

type client interface {
	query(ctx context.Context, sql string, args []any) ([]string, [][]any, error)
	begin(ctx context.Context) error
	end(ctx context.Context, how string) error
	heal(ctx context.Context) error
	valid(ctx context.Context) error
	copyIn(ctx context.Context, sql, data string) error
	copyOut(ctx context.Context, sql string) (string, error)
	close(ctx context.Context) error
}

var address = fmt.Sprintf("host=127.0.0.1 port=%s user=%s password=%s dbname=%s sslmode=disable connect_timeout=15",
	os.Getenv("PGPORT"), os.Getenv("PGUSER"), os.Getenv("PGPASSWORD"), os.Getenv("PGDATABASE"))

// ---- pgx ----

type pgxClient struct{ c *pgx.Conn }

func openPgx(ctx context.Context, mode string) (client, error) {
	c, err := pgx.Connect(ctx, address+" default_query_exec_mode="+mode)
	return &pgxClient{c}, err
}

func (p *pgxClient) query(ctx context.Context, sql string, args []any) ([]string, [][]any, error) {
	rows, err := p.c.Query(ctx, sql, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var names []string
	for _, f := range rows.FieldDescriptions() {
		names = append(names, f.Name)
	}
	var got [][]any
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return nil, nil, err
		}
		got = append(got, values)
	}
	return names, got, rows.Err()
}

func (p *pgxClient) exec(ctx context.Context, sql string) error {
	_, err := p.c.Exec(ctx, sql)
	return err
}
func (p *pgxClient) begin(ctx context.Context) error           { return p.exec(ctx, "begin") }
func (p *pgxClient) end(ctx context.Context, how string) error { return p.exec(ctx, how) }
func (p *pgxClient) heal(ctx context.Context) error            { return p.c.DeallocateAll(ctx) }
func (p *pgxClient) valid(ctx context.Context) error           { return p.c.Ping(ctx) }
func (p *pgxClient) close(ctx context.Context) error           { return p.c.Close(ctx) }
func (p *pgxClient) copyIn(ctx context.Context, sql, data string) error {
	_, err := p.c.PgConn().CopyFrom(ctx, strings.NewReader(data), sql)
	return err
}
func (p *pgxClient) copyOut(ctx context.Context, sql string) (string, error) {
	var out bytes.Buffer
	_, err := p.c.PgConn().CopyTo(ctx, &out, sql)
	return out.String(), err
}

// ---- lib/pq, by database/sql ----

type pqClient struct {
	db    *sql.DB
	c     *sql.Conn
	mode  string
	stmts map[string]*sql.Stmt
}

func openPq(ctx context.Context, mode string) (client, error) {
	more := ""
	if mode == "binary" {
		more = " binary_parameters=yes"
	}
	db, err := sql.Open("postgres", address+more)
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	return &pqClient{db, c, mode, map[string]*sql.Stmt{}}, err
}

func (p *pqClient) query(ctx context.Context, text string, args []any) ([]string, [][]any, error) {
	var rows *sql.Rows
	var err error
	if p.mode == "prepared" {
		s := p.stmts[text]
		if s == nil {
			if s, err = p.c.PrepareContext(ctx, text); err != nil {
				return nil, nil, err
			}
			p.stmts[text] = s
		}
		rows, err = s.QueryContext(ctx, args...)
	} else {
		rows, err = p.c.QueryContext(ctx, text, args...)
	}
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, nil, err
	}
	var got [][]any
	for rows.Next() {
		values, to := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, nil, err
		}
		got = append(got, values)
	}
	return names, got, rows.Err()
}

func (p *pqClient) exec(ctx context.Context, text string) error {
	_, err := p.c.ExecContext(ctx, text)
	return err
}
func (p *pqClient) begin(ctx context.Context) error           { return p.exec(ctx, "begin") }
func (p *pqClient) end(ctx context.Context, how string) error { return p.exec(ctx, how) }
func (p *pqClient) valid(ctx context.Context) error           { return p.c.PingContext(ctx) }
func (p *pqClient) heal(ctx context.Context) error {
	for _, s := range p.stmts {
		s.Close()
	}
	p.stmts = map[string]*sql.Stmt{}
	return nil
}
func (p *pqClient) close(ctx context.Context) error {
	p.heal(ctx)
	p.c.Close()
	return p.db.Close()
}

// lib/pq has COPY ... FROM STDIN only, by a prepared statement in a transaction.
func (p *pqClient) copyIn(ctx context.Context, text, data string) error {
	tx, err := p.c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	s, err := tx.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSuffix(data, "\n"), "\n") {
		var values []any
		for _, v := range strings.Split(line, "\t") {
			values = append(values, v)
		}
		if _, err := s.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	if _, err := s.ExecContext(ctx); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	return tx.Commit()
}
func (p *pqClient) copyOut(ctx context.Context, text string) (string, error) {
	return "", errors.New("lib/pq has no COPY TO")
}

// ---- pools ----

func pool(ctx context.Context, size, borrowers int, mode string) (int, error) {
	var ask func(i int) bool
	if strings.HasPrefix(mode, "pgx") {
		config, err := pgxpool.ParseConfig(address)
		if err != nil {
			return 0, err
		}
		config.MaxConns = int32(size)
		p, err := pgxpool.NewWithConfig(ctx, config)
		if err != nil {
			return 0, err
		}
		defer p.Close()
		ask = func(i int) bool {
			var got int
			return p.QueryRow(ctx, "select $1::int", i).Scan(&got) == nil && got == i
		}
	} else {
		db, err := sql.Open("postgres", address)
		if err != nil {
			return 0, err
		}
		defer db.Close()
		db.SetMaxOpenConns(size)
		s, err := db.PrepareContext(ctx, "select $1::int")
		if err != nil {
			return 0, err
		}
		ask = func(i int) bool {
			var got int
			return s.QueryRowContext(ctx, i).Scan(&got) == nil && got == i
		}
	}
	var wait sync.WaitGroup
	var lock sync.Mutex
	right := 0
	for i := 0; i < borrowers; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			if ask(i) {
				lock.Lock()
				right++
				lock.Unlock()
			}
		}(i)
	}
	wait.Wait()
	return right, nil
}

// ---- the lines ----

var toLine = strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n")
var escaped = regexp.MustCompile(`\\.`)

func unescape(v string) string {
	return escaped.ReplaceAllStringFunc(v, func(m string) string {
		switch m[1] {
		case 't':
			return "\t"
		case 'n':
			return "\n"
		}
		return m[1:]
	})
}

func toText(v any) string {
	switch x := v.(type) {
	case nil:
		return "\\N"
	case []byte:
		return toLine.Replace(string(x))
	case interface{ MarshalJSON() ([]byte, error) }:
		b, _ := x.MarshalJSON()
		return toLine.Replace(strings.Trim(string(b), `"`))
	}
	return toLine.Replace(fmt.Sprint(v))
}

func argument(f string) any {
	switch n, _ := strconv.Atoi(f[2:]); f[0] {
	case 'i':
		return n
	case 'x':
		return strings.Repeat("x", n)
	}
	return unescape(f[2:])
}

func failure(err error) []string {
	var a *pgconn.PgError
	var b *pq.Error
	state := "driver"
	if errors.As(err, &a) {
		state = a.Code
	} else if errors.As(err, &b) {
		state = string(b.Code)
	}
	return []string{"error", state, toLine.Replace(err.Error())}
}

func work(c *client, f []string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	var err error
	switch f[1] {
	case "open":
		which, mode, _ := strings.Cut(f[2], "-")
		if which == "pgx" {
			*c, err = openPgx(ctx, mode)
		} else {
			*c, err = openPq(ctx, mode)
		}
	case "query":
		var args []any
		for _, a := range f[3:] {
			args = append(args, argument(a))
		}
		names, rows, e := (*c).query(ctx, unescape(f[2]), args)
		if e != nil {
			return failure(e)
		}
		out := append([]string{"ok", strconv.Itoa(len(names))}, names...)
		for _, row := range rows {
			for _, v := range row {
				out = append(out, toText(v))
			}
		}
		return out
	case "begin":
		err = (*c).begin(ctx)
	case "commit", "rollback":
		err = (*c).end(ctx, f[1])
	case "heal":
		err = (*c).heal(ctx)
	case "valid":
		err = (*c).valid(ctx)
	case "close":
		err = (*c).close(ctx)
	case "copyin":
		err = (*c).copyIn(ctx, unescape(f[2]), unescape(f[3]))
	case "copyout":
		text, e := (*c).copyOut(ctx, unescape(f[2]))
		if e != nil {
			return failure(e)
		}
		return []string{"ok", "1", "copy", toLine.Replace(text)}
	case "pool":
		size, _ := strconv.Atoi(f[2])
		borrowers, _ := strconv.Atoi(f[3])
		right, e := pool(ctx, size, borrowers, f[4])
		if e != nil {
			return failure(e)
		}
		return []string{"ok", "1", "right", strconv.Itoa(right)}
	default:
		return []string{"unknown"}
	}
	if err != nil {
		return failure(err)
	}
	return []string{"ok", "0"}
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	lines := map[string]chan []string{}
	var lock sync.Mutex
	for in.Scan() {
		f := strings.Split(in.Text(), "\t")
		if lines[f[0]] == nil {
			todo := make(chan []string, 100)
			lines[f[0]] = todo
			go func() {
				var c client
				for f := range todo {
					reply := work(&c, f)
					lock.Lock()
					os.Stdout.WriteString(f[0] + "\t" + strings.Join(reply, "\t") + "\n")
					lock.Unlock()
				}
			}()
		}
		lines[f[0]] <- f
	}
}
