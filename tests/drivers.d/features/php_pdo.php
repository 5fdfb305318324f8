<?php
// PDO's pgsql driver: statements that it prepares when they are first used and deallocates by SQL, scrollable cursors WITH HOLD,
// COPY from arrays, large objects, notifications.

$FEATURES = [];
$MOVES = getenv('FEATURES_ROUTE') !== 'direct';

function feature(string $name, callable $work): void {
    $GLOBALS['FEATURES'][$name] = $work;
}

function equal($got, $expected): void {
    if ($got !== $expected) {
        throw new Exception('got ' . substr(json_encode($got), 0, 200) . ', not ' . substr(json_encode($expected), 0, 200));
    }
}

function fails(string $what, callable $work): void {
    try {
        $work();
    } catch (PDOException $e) {
        if ((string) $e->getCode() !== $what && strpos($e->getMessage(), $what) === false) {
            throw new Exception("error {$e->getCode()} {$e->getMessage()}, not $what");
        }
        return;
    }
    throw new Exception("no error $what");
}

function connect(string $more = '', array $options = [], ?string $password = null): PDO {
    $where = 'pgsql:connect_timeout=10;port=' . getenv('PGPORT') . ';dbname=' . getenv('PGDATABASE') . ';' . ($more ?: 'host=127.0.0.1');
    return new PDO($where, getenv('PGUSER'), $password ?? getenv('PGPASSWORD'), $options + [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
}

function rows(PDO $c, string $sql, array $args = []): array {
    $s = $c->prepare($sql);
    $s->execute($args);
    return $s->fetchAll(PDO::FETCH_NUM);
}

function moved(array $pids): void {
    $pids = array_unique($pids);
    $clients = array_unique(array_map(fn ($p) => explode(' ', $p)[0], $pids));
    if ($GLOBALS['MOVES'] !== (count($pids) > count($clients))) {
        throw new Exception('statements were done by ' . count($pids) . ' server processes');
    }
}

feature('login', function () {
    $c = connect('host=127.0.0.1;application_name=features-of-PDO');
    equal(rows($c, "select current_user, current_setting('application_name')"), [[getenv('PGUSER'), 'features-of-PDO']]);
    fails('password authentication failed', fn () => connect(password: 'wrong'));
});

feature('tls', function () {
    $c = connect('host=localhost;sslmode=verify-full;sslrootcert=' . getenv('FEATURES_CA'));
    equal(rows($c, 'select 1'), [[1]]);
    fails('certificate verify failed', fn () => connect('host=localhost;sslmode=verify-full;sslrootcert=' . getenv('FEATURES_OTHER_CA')));
    fails('does not match host name', fn () => connect('host=127.0.0.1;sslmode=verify-full;sslrootcert=' . getenv('FEATURES_CA')));
});

feature('hosts', function () {
    $ports = getenv('FEATURES_DEAD_PORT') . ',' . getenv('PGPORT');
    $c = new PDO("pgsql:host=127.0.0.1,127.0.0.1;port=$ports;target_session_attrs=read-write", getenv('PGUSER'), getenv('PGPASSWORD'));
    equal(rows($c, 'select 5'), [[5]]);
});

feature('settings', function () {
    $some = $pids = [];
    for ($i = 0; $i < 5; $i++) {
        $some[] = $c = connect("host=127.0.0.1;options='-c search_path=s$i'");
        $c->exec("set timezone to 'Etc/GMT+$i'; set app.mine to '$i'");
    }
    for ($n = 0; $n < 5; $n++) {
        $some[$n]->beginTransaction(); // somebody else has to do without this one's server connection
        $some[$n]->query('select 1')->fetchAll();
        foreach ($some as $i => $c) {
            $got = rows($c, "select current_setting('search_path'), current_setting('timezone'), current_setting('app.mine'), pg_backend_pid()")[0];
            equal(array_slice($got, 0, 3), ["s$i", "Etc/GMT+$i", "$i"]);
            $pids[] = "$i {$got[3]}";
        }
        $some[$n]->commit();
    }
    moved($pids);
});

feature('types', function () {
    foreach ([false, true] as $emulated) {
        $c = connect(options: [PDO::ATTR_EMULATE_PREPARES => $emulated]);
        for ($n = 0; $n < 3; $n++) {
            $s = $c->prepare('select ?::int, ?::bigint, ?::float8, ?::bool, ?::text, ?::bytea, ?::timestamptz, ?::int[], ?::text');
            $s->bindValue(1, 1, PDO::PARAM_INT);
            $s->bindValue(2, 2 ** 40, PDO::PARAM_INT);
            $s->bindValue(3, '1.5');
            $s->bindValue(4, true, PDO::PARAM_BOOL);
            $s->bindValue(5, "ä€𝄞'\\?");
            $s->bindValue(6, "\x00\xff'", PDO::PARAM_LOB);
            $s->bindValue(7, '2024-02-29 12:30:15.123456+00');
            $s->bindValue(8, '{1,NULL,3}');
            $s->bindValue(9, null, PDO::PARAM_NULL);
            $s->execute();
            $got = $s->fetch(PDO::FETCH_NUM);
            $got[5] = stream_get_contents($got[5]);
            $got[2] = (float) $got[2];
            equal($got, [1, 2 ** 40, 1.5, true, "ä€𝄞'\\?", "\x00\xff'", '2024-02-29 12:30:15.123456+00', '{1,NULL,3}', null]);
        }
    }
});

feature('large', function () {
    equal(rows(connect(), "select length(?), repeat('y', 3000000)", [str_repeat('x', 3_000_000)]), [[3_000_000, str_repeat('y', 3_000_000)]]);
});

feature('prepared', function () {
    $clients = $pids = [];
    for ($i = 0; $i < 5; $i++) {
        $clients[] = $c = connect();
        $kept[] = $c->prepare("select name, $i, pg_backend_pid() from feature_items where id = :id");
    }
    for ($n = 1; $n <= 6; $n++) {
        $clients[$n % 5]->beginTransaction();
        $clients[$n % 5]->query('select 1')->fetchAll();
        foreach ($kept as $i => $s) {
            $s->execute(['id' => $n]);
            $got = $s->fetch(PDO::FETCH_NUM);
            equal(array_slice($got, 0, 2), ["item $n", $i]);
            $pids[] = "$i {$got[2]}";
            equal(rows($clients[$i], 'select ?::int + 1', [$n]), [[$n + 1]]); // prepared and deallocated
        }
        $clients[$n % 5]->commit();
    }
    moved($pids);
    $s = $clients[0]->prepare('select ?::int + 2', [PDO::PGSQL_ATTR_DISABLE_PREPARES => true]);
    $s->execute([3]);
    equal($s->fetchColumn(), 5);
});

feature('hold', function () { // a scrollable cursor of PDO is one WITH HOLD
    $some = $cursors = [];
    for ($i = 0; $i < 2; $i++) {
        $some[] = $c = connect();
        $cursors[] = $s = $c->prepare("select ?::int + n from generate_series(1, 100) n", [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
        $s->execute([$i * 1000]);
    }
    foreach ($cursors as $i => $s) {
        equal($s->fetch(PDO::FETCH_NUM), [$i * 1000 + 1]);
        equal($s->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST), [$i * 1000 + 100]);
        equal(rows($some[$i], 'select 7'), [[7]]);
        equal($s->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_ABS, 50), [$i * 1000 + 50]);
        equal($s->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_PRIOR), [$i * 1000 + 49]);
        $s->closeCursor();
    }
});

feature('copyin', function () {
    $c = connect();
    $lines = array_map(fn ($i) => "$i\tcopied $i\t\\N", range(2000, 6999));
    equal($c->pgsqlCopyFromArray('feature_items', $lines), true);
    equal(rows($c, 'select count(*), min(name) from feature_items where id >= 2000'), [[5000, 'copied 2000']]);
    $c->exec('delete from feature_items where id >= 2000');
    fails('22P02', fn () => $c->pgsqlCopyFromArray('feature_items', ["no number\tx\t1"]));
    equal(rows($c, 'select count(*) from feature_items'), [[100]]);
});

feature('copyout', function () {
    $c = connect();
    equal(count($c->pgsqlCopyToArray('(select n from generate_series(1, 20000) n)')), 20000);
    equal($c->pgsqlCopyToArray('feature_items', '|', 'nothing', 'id,name')[4], "5|item 5\n");
});

feature('listen', function () {
    [$c, $deaf, $other] = [connect(), connect(), connect()];
    $c->exec('listen feature_channel');
    for ($i = 0; $i < 3; $i++) {
        rows($other, "select pg_notify('feature_channel', ?)", ["payload $i ü"]);
    }
    for ($i = 0; $i < 3; $i++) {
        $got = $c->pgsqlGetNotify(PDO::FETCH_ASSOC, 10000);
        equal([$got['message'], $got['payload']], ['feature_channel', "payload $i ü"]);
    }
    $c->exec('unlisten *');
    $other->exec("notify feature_channel, 'late'");
    equal([$c->pgsqlGetNotify(PDO::FETCH_ASSOC, 300), $deaf->pgsqlGetNotify(PDO::FETCH_ASSOC, 100), rows($c, 'select 2')], [false, false, [[2]]]);
});

feature('transactions', function () {
    [$c, $other] = [connect(), connect()];
    $c->beginTransaction();
    $c->exec('set transaction isolation level repeatable read');
    equal(rows($c, 'select name from feature_items where id = 1'), [['item 1']]);
    $other->exec("update feature_items set name = 'changed' where id = 1");
    $c->exec('savepoint s');
    fails('40001', fn () => $c->exec("update feature_items set name = 'mine' where id = 1"));
    equal($c->inTransaction(), true);
    $c->exec('rollback to s');
    equal(rows($c, 'select name from feature_items where id = 1'), [['item 1']]);
    $c->commit();
    $other->exec("update feature_items set name = 'item 1' where id = 1");
    $c->beginTransaction();
    $c->exec('delete from feature_items');
    $c->rollBack();
    equal([$c->inTransaction(), rows($c, 'select count(*) from feature_items')], [false, [[100]]]);
});

feature('errors', function () {
    $c = connect();
    for ($n = 0; $n < 3; $n++) {
        fails('23505', fn () => rows($c, "insert into feature_items values (?, 'x', 0)", [1]));
        fails('42703', fn () => rows($c, 'select nothing_like_it, ?', [1]));
        fails('22012', fn () => rows($c, 'select 1 / ?::int', [0]));
        equal(rows($c, 'select ?::int', [8]), [[8]]);
    }
});

feature('keys', function () { // by currval() and lastval()
    $c = connect();
    for ($n = 1; $n <= 3; $n++) {
        $c->beginTransaction();
        $c->exec('insert into feature_keys default values');
        $id = (int) $c->lastInsertId();
        equal([(int) $c->lastInsertId('feature_keys_id_seq'), rows($c, 'select max(id) from feature_keys')], [$id, [[$id]]]);
        $c->commit();
        if (getenv('FEATURES_SEQUENCES')) {
            $c->exec('insert into feature_keys default values');
            equal((int) $c->lastInsertId(), $id + 1);
        }
    }
});

feature('lobs', function () {
    $c = connect();
    $c->beginTransaction();
    $oid = $c->pgsqlLOBCreate();
    $lob = $c->pgsqlLOBOpen($oid, 'w');
    fwrite($lob, str_repeat("\x00\x01", 300_000));
    fseek($lob, 10);
    fwrite($lob, 'there');
    fclose($lob);
    $c->commit();
    $c->beginTransaction();
    $lob = $c->pgsqlLOBOpen($oid, 'r');
    fseek($lob, 8);
    equal(fread($lob, 8), "\x00\x01there\x01");
    fclose($lob);
    equal($c->pgsqlLOBUnlink($oid), true);
    $c->commit();
});

feature('pool', function () { // persistent connections
    for ($n = 0; $n < 3; $n++) {
        $c = connect(options: [PDO::ATTR_PERSISTENT => true]);
        $pid = $c->pgsqlGetPid();
        equal([$pid === ($last ?? $pid), rows($c, 'select ?::int', [$n])], [true, [[$n]]]);
        $last = $pid;
        $c = null;
    }
});

$version = (new ReflectionExtension('pdo_pgsql'))->getVersion();
echo "version PDO_(PHP) $version\n";
foreach (array_slice($argv, 1) ?: array_keys($FEATURES) as $name) {
    if (!isset($FEATURES[$name])) {
        continue;
    }
    echo "begin $name\n";
    try {
        $FEATURES[$name]();
        echo "$name ok\n";
    } catch (Throwable $e) {
        echo "$name failed " . preg_replace('/\s+/', ' ', get_class($e) . " {$e->getMessage()} line {$e->getLine()}") . "\n";
    }
}
echo "end\n";
