// What the programs in Go share: features by their names, and what they say about each.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"
)

type feature struct {
	name string
	work func(ctx context.Context)
}

var (
	port, user, password, database = os.Getenv("PGPORT"), os.Getenv("PGUSER"), os.Getenv("PGPASSWORD"), os.Getenv("PGDATABASE")
	deadPort, ca, otherCA          = os.Getenv("FEATURES_DEAD_PORT"), os.Getenv("FEATURES_CA"), os.Getenv("FEATURES_OTHER_CA")
	moves                          = os.Getenv("FEATURES_ROUTE") != "direct"
	address                        = "host=127.0.0.1 connect_timeout=10 sslmode=disable "
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(got, expected any) {
	if !reflect.DeepEqual(got, expected) {
		panic(fmt.Errorf("got %.200s, not %.200s", fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", expected)))
	}
}

// fails: the error has this SQLSTATE, or this text.
func fails(what string, err error) {
	if err == nil {
		panic(errors.New("no error " + what))
	}
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) && coded.SQLState() == what || strings.Contains(err.Error(), what) {
		return
	}
	panic(fmt.Errorf("error %w, not %s", err, what))
}

type pid struct{ client, process int }

func moved(pids map[pid]bool) {
	clients := map[int]bool{}
	for p := range pids {
		clients[p.client] = true
	}
	if moves != (len(pids) > len(clients)) {
		panic(fmt.Errorf("statements were done by %d server processes", len(pids)))
	}
}

func atOnce(count int, work func(i int)) {
	ended := make(chan any, count)
	for i := 0; i < count; i++ {
		go func(i int) {
			defer func() { ended <- recover() }()
			work(i)
		}(i)
	}
	for i := 0; i < count; i++ {
		if e := <-ended; e != nil {
			panic(e)
		}
	}
}

func run(f feature) (said string) {
	defer func() {
		if e := recover(); e != nil {
			said = "failed " + strings.Join(strings.Fields(fmt.Sprint(e)), " ")
		}
	}()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	f.work(ctx)
	return "ok"
}

func main() {
	features, version := pgxFeatures, "pgx "
	module := "github.com/jackc/pgx/v5"
	if os.Args[1] == "pq" {
		features, version, module = pqFeatures, "lib/pq ", "github.com/lib/pq"
	}
	fmt.Println("version " + version + moduleVersion(module))
	for _, f := range features {
		wanted := len(os.Args) == 2
		for _, name := range os.Args[2:] {
			wanted = wanted || name == f.name
		}
		if wanted {
			fmt.Println("begin " + f.name)
			fmt.Println(f.name + " " + run(f))
		}
	}
	fmt.Println("end")
}
