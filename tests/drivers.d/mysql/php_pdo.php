<?php
// PDO's driver for MySQL, with prepared statements of its own and of the server's.
require __DIR__ . '/look.php';
error_reporting(E_ALL & ~E_WARNING);

function connect(array $more = [], string $dsn = '', ?string $user = null, ?string $password = null): PDO
{
    if (env('CA')) $more += [PDO::MYSQL_ATTR_SSL_CA => env('CA')];
    $more += [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
    $dsn = $dsn ?: 'dbname=' . env('DATABASE') . ';charset=utf8mb4';
    return new PDO('mysql:host=' . env('HOST') . ';port=' . env('PORT') . ";$dsn", $user ?? env('USER'), $password ?? env('PASSWORD'), $more);
}

function rows(PDO $c, string $sql, array $args = [])
{
    $s = $c->prepare($sql);
    $s->execute($args);
    return $s->columnCount() ? $s->fetchAll(PDO::FETCH_NUM) : $s->rowCount();
}

const NATIVE = [PDO::ATTR_EMULATE_PREPARES => false];
const BOTH = [[], NATIVE];

$features = [
    'login' => function () {
        see(rows(connect(), 'select 1, current_user(), database(), @@character_set_client, @@collation_connection'));
        see(rows(connect([], 'charset=latin1'), 'select database(), @@character_set_client'));
        attempt('login', fn() => connect([], '', null, 'wrong'));
        attempt('login', fn() => connect([], '', 'nobody'));
        see(rows(connect([PDO::MYSQL_ATTR_INIT_COMMAND => 'set @a = 7']), 'select @a'));
    },
    'tls' => function () {
        if (!env('CA')) return see('-');
        see(rows(connect(), 'select 1') ? 'encrypted yes' : '');
        try {
            connect([PDO::MYSQL_ATTR_SSL_CA => env('OTHER_CA')]);
            see('stranger taken');
        } catch (PDOException $e) {
            see('stranger refused');
        }
    },
    'types' => function () {
        foreach (BOTH as $how) {
            $s = connect($how)->query('select * from d_types order by id');
            for ($i = 0; $i < $s->columnCount(); $i++) see($s->getColumnMeta($i));
            foreach ($s->fetchAll(PDO::FETCH_ASSOC) as $row) see($row);
        }
    },
    'unicode' => function () {
        foreach (BOTH as $how) {
            $c = connect($how);
            see(rows($c, 'insert into d_texts (t) values (?)', [EMOJI]), rows($c, 'select t, length(t), t = :t from d_texts', ['t' => EMOJI]));
        }
    },
    'prepared' => function () {
        foreach (BOTH as $how) {
            $c = connect($how);
            $s = $c->prepare('select ? + 1, ?');
            foreach ([1, 2, 3] as $i) {
                $s->bindValue(1, $i, PDO::PARAM_INT);
                $s->bindValue(2, $i % 2 ? null : "\0x", PDO::PARAM_LOB);
                see($s->execute(), $s->fetchAll(PDO::FETCH_NUM));
            }
            attempt('error', fn() => rows($c, 'select * from nowhere where a = ?', [1]));
            attempt('error', fn() => rows($c, 'insert into d_money values (?, ?)', [1, -1]));
        }
    },
    'results' => function () {
        foreach (BOTH as $how) {
            foreach (["select 1; select 'two', 2; do 1; select 3", 'call d_two()', 'select 1; selec'] as $sql) {
                attempt('at last', function () use ($how, $sql) {
                    $s = connect($how)->query($sql);
                    do {
                        see($s->columnCount() ? $s->fetchAll(PDO::FETCH_NUM) : $s->rowCount());
                    } while ($s->nextRowset());
                });
            }
            attempt('one only', fn() => connect($how + [PDO::MYSQL_ATTR_MULTI_STATEMENTS => false])->query('select 1; select 2'));
        }
    },
    'keys' => function () {
        foreach ([false, true] as $found) {
            $c = connect([PDO::MYSQL_ATTR_FOUND_ROWS => $found]);
            foreach (['insert into d_keys (v) values (1), (2)', 'update d_keys set v = 7', 'update d_keys set v = 7', 'delete from d_keys', 'truncate d_keys'] as $sql) {
                see($c->exec($sql), $c->lastInsertId());
            }
        }
    },
    'transactions' => function () {
        $c = connect(); $other = connect();
        $c->beginTransaction();
        rows($c, 'insert into d_money values (1, 10)');
        see(rows($other, 'select * from d_money'), $c->inTransaction(), $c->rollBack());
        $c->beginTransaction();
        rows($c, 'insert into d_money values (1, 11)');
        see($c->commit(), rows($other, 'select * from d_money'), $c->inTransaction());
        $c->beginTransaction();
        rows($c, 'create or replace table d_loaded (a int, b varchar(20))');
        see($c->inTransaction());
        attempt('no transaction', fn() => $c->commit());
        $c->setAttribute(PDO::ATTR_AUTOCOMMIT, 0);
        see(rows($c, 'select @@autocommit'));
    },
    'errors' => function () {
        $c = connect();
        foreach (['selec', 'select * from nowhere', 'insert into d_money values (2, -1)', "signal sqlstate '45000' set message_text = 'our ü', mysql_errno = 30001"] as $sql) {
            attempt('error', fn() => see(rows($c, $sql)));
            see($c->errorInfo());
        }
    },
    'large' => function () {
        foreach (BOTH as $how) {
            $c = connect($how);
            $data = str_repeat("0123456789abcde\xff", 1 << 16);
            see(rows($c, 'replace into d_large values (?, ?)', [1, $data]), rows($c, 'replace into d_large values (?, ?)', [2, str_repeat($data, 17)]));
            see(rows($c, 'select * from d_large where id > ? order by id', [0]));
        }
    },
    'stream' => function () {
        foreach (BOTH as $how) {
            $c = connect($how + [PDO::MYSQL_ATTR_USE_BUFFERED_QUERY => false]);
            $s = $c->query('select seq, repeat("x", 500) from seq_1_to_20000');
            for ($sum = 0; $row = $s->fetch(PDO::FETCH_NUM);) $sum += $row[0];
            $s = $c->query('select seq from seq_1_to_20000');
            see($sum, $s->fetch(PDO::FETCH_NUM));
            attempt('unbuffered', fn() => $c->query('select 1'));
            $s->closeCursor();
            see(rows($c, 'select 1'));
        }
    },
    'ping' => function () {
        see(explode(':', connect()->getAttribute(PDO::ATTR_SERVER_INFO))[0], connect()->getAttribute(PDO::ATTR_CLIENT_VERSION));
    },
    'pool' => function () {
        for ($i = 0; $i < 4; $i++) see(rows(connect([PDO::ATTR_PERSISTENT => true]), 'select ? + 1', [$i]));
    },
    'compress' => function () {
        see(rows(connect([PDO::MYSQL_ATTR_COMPRESS => true]), 'select repeat("x", 100000)'));
    },
    'infile' => function () {
        $c = connect([PDO::MYSQL_ATTR_LOCAL_INFILE => true]);
        attempt('loaded', fn() => see($c->exec("load data local infile '" . env('FOLDER') . "/rows.txt' into table d_loaded")));
        see(rows($c, 'select * from d_loaded'));
    },
];
main('PDO_(PHP) ' . PHP_VERSION, $features);
