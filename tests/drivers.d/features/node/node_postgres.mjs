// postgres.js: everything pipelined and prepared, cursors by portals, COPY as streams, subscriptions to channels, reserved connections.
import fs from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import postgres from 'postgres';
import { env, equal, fails, feature, main, moved, range, sleep } from './check.mjs';

const where = { host: '127.0.0.1', port: Number(env.PGPORT), user: env.PGUSER, password: env.PGPASSWORD, database: env.PGDATABASE, connect_timeout: 10,
    onnotice: () => {} };
const open = [];

function connect(more = {}) {
    const sql = postgres({ ...where, max: 1, ...more });
    open.push(sql);
    return sql;
}
const plain = (rows) => rows.map((r) => ({ ...r }));
const test = (name, fn) => feature(name, async () => {
    try { await fn(); } finally { await Promise.all(open.splice(0).map((sql) => sql.end({ timeout: 1 }))); }
});

test('login', async () => {
    const sql = connect({ connection: { application_name: 'features of postgres.js' } });
    equal(plain(await sql`select current_user::text as u, current_setting('application_name') as a`), [{ u: env.PGUSER, a: 'features of postgres.js' }]);
    await fails('28P01', connect({ password: 'wrong' })`select 1`);
    await fails('3D000', connect({ database: 'nowhere_at_all' })`select 1`);
});

test('tls', async () => {
    const ca = fs.readFileSync(env.FEATURES_CA), other = fs.readFileSync(env.FEATURES_OTHER_CA);
    equal(plain(await connect({ host: 'localhost', ssl: { ca, servername: 'localhost' } })`select 1 as v`), [{ v: 1 }]);
    await fails('certificate', connect({ host: 'localhost', ssl: { ca: other, servername: 'localhost' } })`select 1`);
    await fails("does not match certificate's altnames", connect({ ssl: { ca, servername: 'elsewhere' } })`select 1`);
});

test('hosts', async () => {
    const both = { host: ['127.0.0.1', '127.0.0.1'], port: [Number(env.FEATURES_DEAD_PORT), Number(env.PGPORT)] };
    for (const wanted of [undefined, 'read-write', 'primary']) {
        equal(plain(await connect({ ...both, target_session_attrs: wanted })`select 5 as v`), [{ v: 5 }]);
    }
});

test('settings', async () => {
    const some = range(0, 5).map((i) => connect({ connection: { search_path: `s${i}`, 'app.mine': `${i}` } }));
    for (const [i, sql] of some.entries()) await sql.unsafe(`set timezone to 'Etc/GMT+${i}'`);
    const pids = [];
    const ask = async (sql, i) => {
        const [{ pid, ...got }] = await sql`select pg_backend_pid() as pid, current_setting('search_path') as a, current_setting('app.mine') as b,
            current_setting('timezone') as c`;
        equal(got, { a: `s${i}`, b: `${i}`, c: `Etc/GMT+${i}` });
        pids.push([i, pid]);
    };
    for (const n of range(0, 5)) {
        await some[n].begin(async (tx) => { // somebody else has to do without this one's server connection
            for (const [i, sql] of some.entries()) await ask(i === n ? tx : sql, i);
        });
    }
    moved(pids);
});

test('types', async () => {
    const sql = connect();
    const v = [1, '1099511627776', 1.5, true, "ä€𝄞'\\", Buffer.from([0, 255, 39]), new Date('2024-02-29T12:30:15.123Z'), [1, 2, 3], ['a,b', '"'],
        { a: [1, 'ü'] }, '12345.6789', null];
    for (let n = 0; n < 3; n++) {
        const [row] = await sql`select ${v[0]}::int, ${v[1]}::bigint, ${v[2]}::float8, ${v[3]}::bool, ${v[4]}::text, ${v[5]}::bytea, ${v[6]}::timestamptz,
            ${v[7]}::int[], ${v[8]}::text[], ${sql.json(v[9])}::jsonb, ${v[10]}::numeric, ${v[11]}::text`.values();
        equal([...row], v);
    }
    equal(plain(await sql`select ${'x'} || ${sql.unsafe("'y'")} as v, ${sql(['id', 'name'])} from feature_items where id in ${sql([3])}`),
        [{ v: 'xy', id: 3, name: 'item 3' }]);
});

test('large', async () => {
    const [row] = await connect()`select length(${'x'.repeat(3000000)}) as n, repeat('y', 3000000) as y`;
    equal([row.n, row.y === 'y'.repeat(3000000)], [3000000, true]);
});

test('prepared', async () => {
    const pids = [];
    const one = async (i) => {
        const sql = connect({ prepare: i !== 7 });
        for (const n of range(1, 9)) {
            const got = await Promise.all(range(0, 4).map((k) => sql`select pg_backend_pid() as pid, name, ${k}::int as k, ${i}::int as i from feature_items where id = ${n}`));
            equal(got.map(([{ pid, ...r }]) => r), range(0, 4).map((k) => ({ name: `item ${n}`, k, i })));
            pids.push(...got.map(([{ pid }]) => [i, pid]));
        }
        equal((await sql`select name from feature_items where id = ${5}`.describe()).columns.map((c) => c.name), ['name']);
    };
    await Promise.all(range(0, 8).map(one));
    moved(pids);
});

test('cursor', async () => {
    const one = async (i) => {
        const sql = connect();
        const got = [];
        for await (const rows of sql`select ${i * 10000}::int + n as v from generate_series(1, 1000) n`.cursor(70)) got.push(...rows.map((r) => r.v));
        equal(got, range(1, 1001).map((n) => i * 10000 + n));
        const early = [];
        await sql`select n from generate_series(1, 1000) n`.cursor(10, (rows) => { early.push(...rows); return early.length >= 30 ? sql.CLOSE : undefined; });
        equal([early.length, plain(await sql`select 7 as v`)], [30, [{ v: 7 }]]);
        await sql.begin(async (tx) => {
            let count = 0;
            for await (const rows of tx`select n from generate_series(1, 500) n`.cursor(100)) count += rows.length;
            equal(count, 500);
        });
    };
    await Promise.all(range(0, 6).map(one));
    let seen = 0;
    await connect()`select n from generate_series(1, 500) n`.forEach((r) => { seen += r.n; });
    equal(seen, 125250);
});

test('batch', async () => {
    const sql = connect();
    const got = await Promise.all(range(0, 300).map((i) => (i === 77 ? fails('22012', sql`select 1 / ${0}::int`).then(() => 77)
        : sql`select ${i}::int as v`.then((r) => r[0].v))));
    equal(got, range(0, 300));
    await sql.begin((tx) => [tx`insert into feature_items ${tx(range(1000, 1100).map((id) => ({ id, name: `b${id}` })))}`,
        tx`update feature_items set v = 1 where id >= 1000`, tx`select 1`]);
    equal((await sql`delete from feature_items where id >= 1000 returning id`).count, 100);
    equal((await sql`select 1 as a; select 2 as b`.simple()).map(plain), [[{ a: 1 }], [{ b: 2 }]]);
});

test('copyin', async () => {
    const sql = connect();
    await pipeline(Readable.from(range(2000, 7000).map((i) => `${i}\tcopied ${i}\t\\N\n`)), await sql`copy feature_items from stdin`.writable());
    equal(plain(await sql`select count(*)::int as n, min(name) as m from feature_items where id >= 2000`), [{ n: 5000, m: 'copied 2000' }]);
    await sql`delete from feature_items where id >= 2000`;
});

test('copyout', async () => {
    const sql = connect();
    let got = '';
    for await (const part of await sql`copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout with csv`.readable()) got += part;
    equal(got, range(1, 20001).map((n) => `${n},row ${n}\n`).join(''));
});

test('listen', async () => {
    const [sql, other] = [connect(), connect()];
    const got = [];
    const { unlisten } = await sql.listen('feature_channel', (payload) => got.push(payload));
    for (const i of range(0, 3)) await other.notify('feature_channel', `payload ${i} ü`);
    for (let i = 0; got.length < 3 && i < 500; i++) await sleep(20);
    await unlisten();
    await other.notify('feature_channel', 'late');
    await sleep(200);
    equal(got, range(0, 3).map((i) => `payload ${i} ü`));
    equal(plain(await sql`select 2 as v`), [{ v: 2 }]);
});

test('cancel', async () => {
    const [sql, other] = [connect(), connect()];
    for (const n of [1, 2]) {
        const asleep = sql`select pg_sleep(20)`;
        const ended = fails('57014', asleep.execute());
        await sleep(300);
        asleep.cancel();
        await ended;
        equal([plain(await sql`select 3 as v`), plain(await other`select ${n}::int as v`)], [[{ v: 3 }], [{ v: n }]]);
    }
});

test('transactions', async () => {
    const [sql, other] = [connect(), connect()];
    await sql.begin('isolation level repeatable read', async (tx) => {
        equal(plain(await tx`select name from feature_items where id = 1`), [{ name: 'item 1' }]);
        await other`update feature_items set name = 'changed' where id = 1`;
        await fails('40001', tx.savepoint((sp) => sp`update feature_items set name = 'mine' where id = 1`));
        equal(plain(await tx`select name from feature_items where id = 1`), [{ name: 'item 1' }]);
    });
    await other`update feature_items set name = 'item 1' where id = 1`;
    await fails('25006', sql.begin('read only', (tx) => tx`delete from feature_items`));
    equal(plain(await sql`select count(*)::int as n from feature_items`), [{ n: 100 }]);
});

test('twophase', async () => {
    if (!env.FEATURES_TWO_PHASES) return;
    const [sql, other] = [connect(), connect()];
    await sql.begin(async (tx) => {
        await tx`update feature_items set v = 7 where id = 7`;
        await tx.prepare('feature_js');
    });
    await other`commit prepared 'feature_js'`;
    equal(plain(await sql`select v from feature_items where id = 7`), [{ v: '7.00' }]);
});

test('errors', async () => {
    const heard = [];
    const sql = connect({ onnotice: (n) => heard.push(n.message) });
    for (let n = 0; n < 3; n++) {
        const e = await fails('23505', sql`insert into feature_items values (${1}, 'x', 0)`);
        equal([e.constraint_name, e.table_name, e.detail], ['feature_items_pkey', 'feature_items', 'Key (id)=(1) already exists.']);
        await fails('42703', sql`select nothing_like_it, ${1}::int`);
        equal(plain(await sql`select ${8}::int as v`), [{ v: 8 }]);
    }
    await sql`do $$ begin raise notice 'heard'; end $$`.simple();
    equal(heard, ['heard']);
});

test('lobs', async () => { // by SQL, in a transaction of its own
    const sql = connect();
    const lob = await sql.largeObject();
    await lob.write(Buffer.alloc(100000, 7));
    await lob.seek(10);
    await lob.write(Buffer.from('there'));
    await lob.seek(8);
    const [{ data }] = await lob.read(8);
    await lob.close();
    equal([...data], [...Buffer.from('\x07\x07there\x07')]);
});

test('pool', async () => {
    const sql = connect({ max: 6, max_lifetime: 1, idle_timeout: 1 });
    const got = await Promise.all(range(0, 200).map((i) => sql`select ${i}::int as v`));
    equal(got.map((r) => r[0].v), range(0, 200));
    const reserved = await sql.reserve();
    equal(plain(await reserved`select 5 as v`), [{ v: 5 }]);
    reserved.release();
});

main(`postgres.js ${JSON.parse(fs.readFileSync(new URL('node_modules/postgres/package.json', import.meta.url))).version}`);
