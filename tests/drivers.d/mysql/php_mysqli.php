<?php
// mysqli (PHP's mysqlnd).
require __DIR__ . '/look.php';
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
error_reporting(E_ALL & ~E_WARNING);

function connect(array $with = []): mysqli
{
    $c = mysqli_init();
    $with += ['user' => env('USER'), 'password' => env('PASSWORD'), 'db' => env('DATABASE'), 'flags' => 0, 'ca' => env('CA'), 'options' => []];
    foreach ($with['options'] as $name => $value) $c->options($name, $value);
    if ($with['ca']) $c->ssl_set(null, null, $with['ca'], null, null);
    $c->real_connect(env('HOST'), $with['user'], $with['password'], $with['db'], (int)env('PORT'), null, $with['flags'] | ($with['ca'] ? MYSQLI_CLIENT_SSL : 0));
    $c->set_charset('utf8mb4');
    return $c;
}

function rows(mysqli $c, string $sql) { $r = $c->query($sql); return is_bool($r) ? $r : $r->fetch_all(MYSQLI_NUM); }

function bound(mysqli $c, string $sql, string $kinds, ...$values)
{
    $s = $c->prepare($sql);
    if ($kinds) $s->bind_param($kinds, ...$values);
    $s->execute();
    $r = $s->get_result();
    return $r ? $r->fetch_all(MYSQLI_NUM) : [$s->affected_rows, $s->insert_id];
}

$features = [
    'login' => function () {
        see(rows(connect(), 'select 1, current_user(), database(), @@character_set_client, @@collation_connection'));
        see(rows(connect(['db' => null]), 'select database()'));
        foreach ([['password' => 'wrong'], ['password' => ''], ['user' => 'nobody']] as $wrong) attempt('login', fn() => connect($wrong));
        see(rows(connect(['options' => [MYSQLI_INIT_COMMAND => 'set @a = 7']]), 'select @a'));
    },
    'tls' => function () {
        if (!env('CA')) return see('-');
        see(rows(connect(), 'select 1') ? 'encrypted yes' : '');
        attempt('in clear', fn() => connect(['ca' => '']));
        try {
            connect(['ca' => env('OTHER_CA')]);
            see('stranger taken');
        } catch (mysqli_sql_exception $e) {
            see('stranger refused');
        }
    },
    'types' => function () {
        $r = connect()->query('select * from d_types order by id');
        foreach ($r->fetch_all(MYSQLI_ASSOC) as $row) see($row);
        foreach ($r->fetch_fields() as $f) see($f);
        foreach (connect(['options' => [MYSQLI_OPT_INT_AND_FLOAT_NATIVE => 1]])->query('select * from d_types order by id') as $row) see($row);
    },
    'unicode' => function () {
        $c = connect();
        $c->query("insert into d_texts (t) values ('" . $c->real_escape_string(EMOJI) . "')");
        see(rows($c, 'select t, length(t) from d_texts'), bound($c, 'select t = ?, ? as `漢字` from d_texts', 'ss', EMOJI, EMOJI));
    },
    'prepared' => function () {
        $c = connect();
        foreach (bound($c, 'select * from d_types where id <> ? order by id', 'i', 9) as $row) see($row);
        see(bound($c, 'select ?, ?, ?, ?', 'isds', 1, 'x', 1.5, null));
        $s = $c->prepare('select ? + 1, ?');
        $a = 1; $b = 'b';
        $s->bind_param('is', $a, $b);
        $s->bind_result($x, $y);
        foreach ([1, 2, 3] as $a) {
            $s->execute();
            $s->store_result();
            while ($s->fetch()) see($x, $y);
        }
        see($s->param_count, $s->reset(), $s->close());
        attempt('error', fn() => $c->prepare('select * from nowhere where a = ?'));
        attempt('error', fn() => bound($c, 'insert into d_money values (?, ?)', 'ii', 1, -1));
        $s = $c->prepare('call d_two()');
        $s->execute();
        do {
            $r = $s->get_result();
            see($r ? $r->fetch_all() : 'none');
        } while ($s->next_result());
    },
    'results' => function () {
        $c = connect();
        foreach (["select 1; select 'two', 2; do 1; select 3", 'call d_two()', 'select 1; selec'] as $sql) {
            attempt('at last', function () use ($c, $sql) {
                $c->multi_query($sql);
                do {
                    $r = $c->store_result();
                    see($r ? $r->fetch_all() : $c->affected_rows, $c->more_results());
                } while ($c->next_result());
            });
        }
        attempt('one only', fn() => see(rows($c, 'select 1; select 2')));
    },
    'keys' => function () {
        foreach ([0, MYSQLI_CLIENT_FOUND_ROWS] as $flags) {
            $c = connect(['flags' => $flags]);
            foreach (['insert into d_keys (v) values (1), (2)', 'update d_keys set v = 7', 'update d_keys set v = 7', 'delete from d_keys', 'insert into d_keys (id) values (1 << 40)', 'truncate d_keys'] as $sql) {
                see($c->query($sql), $c->affected_rows, $c->insert_id, $c->info);
            }
            see(bound($c, 'insert into d_keys (v) values (?)', 'i', 5));
            $c->query('truncate d_keys');
        }
    },
    'transactions' => function () {
        $c = connect(); $other = connect();
        $c->begin_transaction(MYSQLI_TRANS_START_WITH_CONSISTENT_SNAPSHOT, 'named');
        rows($c, 'insert into d_money values (1, 10)');
        see(rows($other, 'select * from d_money'));
        $c->rollback();
        $c->autocommit(false);
        rows($c, 'insert into d_money values (1, 11)');
        $c->savepoint('a');
        $c->commit();
        see(rows($other, 'select * from d_money'));
        $c->begin_transaction(MYSQLI_TRANS_START_READ_ONLY);
        attempt('read only', fn() => rows($c, 'update d_money set v = 1'));
    },
    'errors' => function () {
        $c = connect();
        foreach (['selec', 'select * from nowhere', 'select nothing', "insert into d_money values ('x', 1)", 'insert into d_money values (2, -1)',
            "signal sqlstate '45000' set message_text = 'our ü', mysql_errno = 30001", 'select if(seq < 5, seq, (select 1 union select 2)) from seq_1_to_9', '-- x'] as $sql) {
            attempt('error', fn() => see(rows($c, $sql)));
            see($c->errno, $c->sqlstate, $c->error);
        }
        rows($c, 'select 1/0');
        see($c->warning_count, $c->get_warnings(), rows($c, 'show warnings'));
    },
    'large' => function () {
        $c = connect();
        $data = str_repeat("0123456789abcde\xff", 1 << 16);
        see(bound($c, 'insert into d_large values (?, ?)', 'is', 1, $data), bound($c, 'insert into d_large values (?, ?)', 'is', 2, str_repeat($data, 17)));
        $s = $c->prepare('insert into d_large values (3, ?)');
        $null = null;
        $s->bind_param('b', $null);
        for ($i = 0; $i < 20; $i++) $s->send_long_data(0, $data);
        see($s->execute(), rows($c, 'select id, length(data), md5(data), data from d_large order by id'), bound($c, 'select * from d_large order by id', ''));
    },
    'stream' => function () {
        $c = connect();
        $r = $c->query('select seq, repeat("x", 500) from seq_1_to_20000', MYSQLI_USE_RESULT);
        for ($sum = 0; $row = $r->fetch_row();) $sum += $row[0];
        $r->free();
        $r = $c->query('select seq from seq_1_to_20000', MYSQLI_USE_RESULT);
        see($sum, $r->fetch_row());
        attempt('out of sync', fn() => rows($c, 'select 1'));
        $r->free();
        see(rows($c, 'select 1'));
    },
    'cursor' => function () {
        $c = connect();
        $s = $c->stmt_init();
        $s->prepare('select seq, repeat("x", 100) from seq_1_to_20 where seq > ?');
        $s->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
        $least = 3;
        $s->bind_param('i', $least);
        $s->execute();
        $s->bind_result($seq, $x);
        for ($sum = 0; $s->fetch(); $sum += $seq) if ($seq == 9) see(rows($c, "select 'between'"));
        see($sum);
    },
    'schema' => function () {
        $c = connect();
        see($c->select_db('information_schema'), rows($c, 'select database()'));
        attempt('nowhere', fn() => $c->select_db('nowhere'));
        see($c->get_charset(), $c->character_set_name(), $c->set_charset('latin1'), rows($c, 'select @@character_set_client'));
    },
    'ping' => function () {
        $c = connect();
        see($c->ping(), explode(':', $c->stat())[0], rows($c, 'select 1'));
    },
    'pool' => function () {
        for ($i = 0; $i < 3; $i++) {
            $c = mysqli_init();
            if (env('CA')) return see('persistent');
            $c->real_connect('p:' . env('HOST'), env('USER'), env('PASSWORD'), env('DATABASE'), (int)env('PORT'));
            $c->close();
        }
        see('persistent');
    },
    'timeout' => function () {
        attempt('driver', fn() => rows(connect(['options' => [MYSQLI_OPT_READ_TIMEOUT => 1]]), 'select sleep(3)'));
        $c = connect();
        rows($c, 'set max_statement_time = 0.5');
        attempt('server', fn() => rows($c, 'select count(*) from seq_1_to_100000 a, seq_1_to_100000 b where a.seq <> b.seq * 7'));
    },
    'kill' => function () {
        foreach (['select connection_id()', ''] as $whose) {
            if (!$whose) echo "begin cancel\n";
            $c = connect(); $other = connect();
            $id = $whose ? rows($c, $whose)[0][0] : $c->thread_id;
            $c->query('select sleep(2)', MYSQLI_ASYNC);
            usleep(500000);
            attempt('killer', fn() => rows($other, "kill query $id"));
            attempt('ended', fn() => see($c->reap_async_query()->fetch_all()));
            see(rows($c, 'select 1'));
        }
        $c = connect();
        attempt('by command', fn() => see($other->kill($c->thread_id)));
    },
    'compress' => function () {
        attempt('compressed', function () {
            $c = connect(['flags' => MYSQLI_CLIENT_COMPRESS, 'options' => [MYSQLI_OPT_READ_TIMEOUT => 3]]);
            see(rows($c, 'select repeat("x", 100000)'), rows($c, 'select 1'));
        });
    },
    'change_user' => function () {
        $c = connect();
        attempt('changed', fn() => see($c->change_user(env('USER'), env('PASSWORD'), env('DATABASE'))));
        attempt('later', fn() => see(rows($c, 'select 1')));
    },
    'infile' => function () {
        $c = connect(['options' => [MYSQLI_OPT_LOCAL_INFILE => true]]);
        attempt('loaded', fn() => rows($c, "load data local infile '" . env('FOLDER') . "/rows.txt' into table d_loaded"));
        see(rows($c, 'select * from d_loaded'));
    },
];
main('mysqli_(PHP) ' . PHP_VERSION, $features);
