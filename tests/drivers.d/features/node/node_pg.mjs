// node-postgres: named statements, binary results, cursors by portals, streams, COPY, its pool.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import copy from 'pg-copy-streams';
import { env, equal, fails, feature, main, moved, range, sleep } from './check.mjs';

const where = { host: '127.0.0.1', connectionTimeoutMillis: 10000 };
const open = [];

async function connect(more = {}) {
    const c = new pg.Client({ ...where, ...more });
    c.on('error', () => {});
    await c.connect();
    open.push(c);
    return c;
}
const rows = async (c, text, values, more = {}) => (await c.query({ text, values, rowMode: 'array', ...more })).rows;
const test = (name, fn) => feature(name, async () => {
    try { await fn(); } finally { await Promise.all(open.splice(0).map((c) => Promise.race([c.end(), sleep(2000)]))); }
});

test('login', async () => {
    const c = await connect({ application_name: 'features of node-postgres' });
    equal(await rows(c, "select current_user::text, current_setting('application_name')"), [[env.PGUSER, 'features of node-postgres']]);
    await fails('28P01', connect({ password: 'wrong' }));
    await fails('3D000', connect({ database: 'nowhere_at_all' }));
});

test('tls', async () => {
    const ca = fs.readFileSync(env.FEATURES_CA), other = fs.readFileSync(env.FEATURES_OTHER_CA);
    const c = await connect({ host: 'localhost', ssl: { ca } });
    equal([c.connection.stream.authorized, await rows(c, 'select 1')], [true, [[1]]]);
    const url = `postgresql://localhost:${env.PGPORT}/${env.PGDATABASE}?sslmode=verify-full&sslrootcert=${env.FEATURES_CA}`;
    const byUrl = new pg.Client({ connectionString: url, user: env.PGUSER, password: env.PGPASSWORD });
    await byUrl.connect();
    open.push(byUrl);
    equal(await rows(byUrl, 'select 1'), [[1]]);
    await fails('certificate', connect({ host: 'localhost', ssl: { ca: other } }));
    await fails("does not match certificate's altnames", connect({ host: '127.0.0.1', ssl: { ca } }));
});

test('settings', async () => {
    const some = [];
    for (const i of range(0, 5)) some.push(await connect({ options: `-c search_path=s${i} -c app.mine=${i}`, statement_timeout: 20000 + i }));
    for (const [i, c] of some.entries()) await c.query(`set timezone to 'Etc/GMT+${i}'`);
    const pids = [];
    for (const n of range(0, 5)) {
        await some[n].query('begin; select 1'); // somebody else has to do without this one's server connection
        for (const [i, c] of some.entries()) {
            const [[pid, ...got]] = await rows(c, `select pg_backend_pid(), current_setting('search_path'), current_setting('app.mine'),
                current_setting('timezone'), (select setting from pg_settings where name = 'statement_timeout')`);
            equal(got, [`s${i}`, `${i}`, `Etc/GMT+${i}`, `${20000 + i}`]);
            pids.push([i, pid]);
        }
        await some[n].query('commit');
    }
    moved(pids);
});

const kinds = ['int', 'bigint', 'float8', 'bool', 'text', 'bytea', 'timestamptz', 'int[]', 'text[]', 'jsonb', 'numeric', 'text'];
const values = [1, '1099511627776', 1.5, true, "ä€𝄞'\\", Buffer.from([0, 255, 39]), new Date('2024-02-29T12:30:15.123Z'), [1, null, 3], ['a,b', '"'],
    { a: [1, 'ü'] }, '12345.6789', null];

test('types', async () => {
    const c = await connect();
    const sql = `select ${kinds.map((k, i) => `$${i + 1}::${k}`)}`;
    for (const name of [undefined, 'mine', 'mine']) equal((await rows(c, sql, values, { name }))[0], values);
});

test('binary', async () => { // results only; of float8 and bytea it makes nonsense, and no arrays of rows
    const c = await connect();
    for (const name of [undefined, 'mine', 'mine']) {
        const sql = "select $1::int as i, $2::text as t, $3::bool as b, array[1, 2] as a, 7::int8 as l, null::int as n";
        equal((await c.query({ text: sql, values: [7, 'ä', true], binary: true, name })).rows, [{ i: 7, t: 'ä', b: true, a: [1, 2], l: '7', n: null }]);
    }
});

test('large', async () => {
    const c = await connect();
    equal(await rows(c, "select length($1), repeat('y', 3000000)", ['x'.repeat(3000000)]), [[3000000, 'y'.repeat(3000000)]]);
});

test('prepared', async () => {
    const pids = [];
    const one = async (i) => {
        const c = await connect();
        for (const n of range(1, 9)) {
            for (const k of range(0, 4)) {
                const [[pid, ...got]] = await rows(c, `select pg_backend_pid(), name, ${i}, ${k} from feature_items where id = $1`, [n], { name: `mine ${k}` });
                equal(got, [`item ${n}`, i, k]);
                pids.push([i, pid]);
            }
        }
    };
    await Promise.all(range(0, 8).map(one));
    moved(pids);
});

test('cursor', async () => {
    const some = [await connect(), await connect()];
    for (const c of some) await c.query('begin');
    const cursors = some.map((c, i) => c.query(new Cursor('select $1::int + n as v from generate_series(1, 1000) n', [i * 10000])));
    const got = [[], []];
    while (got[1].length < 1000) for (const [i, cursor] of cursors.entries()) got[i].push(...(await cursor.read(70)).map((r) => r.v));
    for (const i of [0, 1]) equal(got[i], range(1, 1001).map((n) => i * 10000 + n));
    for (const cursor of cursors) await cursor.close();
    for (const c of some) equal(await rows(c, 'select 7'), [[7]]);
    for (const c of some) await c.query('commit');
    // Outside a transaction the portal lives until the Sync behind its last rows.
    const stream = some[0].query(new QueryStream('select n from generate_series(1, 5000) n', [], { batchSize: 100 }));
    const seen = [];
    for await (const r of stream) seen.push(r.n);
    equal(seen, range(1, 5001));
    const early = some[0].query(new Cursor('select n from generate_series(1, 5000) n'));
    equal((await early.read(3)).map((r) => r.n), [1, 2, 3]);
    await early.close();
    equal(await rows(some[0], 'select 8'), [[8]]);
});

test('batch', async () => { // queries are queued, or with `pipeline` sent at once
    for (const more of [{}, { pipeline: true }, { pipelining: true }]) {
        const c = await connect(more);
        const got = await Promise.all(range(0, 200).map((i) => (i === 77 ? fails('22012', rows(c, 'select 1 / $1::int', [0])).then(() => 77)
            : rows(c, 'select $1::int', [i], i % 3 ? {} : { name: 'mine' }).then((r) => r[0][0]))));
        equal(got, range(0, 200));
        const several = await c.query('select 1 as a; select 2 as b; select 3 as c');
        equal(several.map((r) => r.rows), [[{ a: 1 }], [{ b: 2 }], [{ c: 3 }]]);
    }
});

test('copyin', async () => {
    const c = await connect();
    await pipeline(Readable.from(range(2000, 7000).map((i) => `${i}\tcopied ${i}\t\\N\n`)), c.query(copy.from('copy feature_items from stdin')));
    equal(await rows(c, 'select count(*)::int, min(name) from feature_items where id >= 2000'), [[5000, 'copied 2000']]);
    await c.query('delete from feature_items where id >= 2000');
    await fails('22P02', pipeline(Readable.from(['no number\tx\t1\n']), c.query(copy.from('copy feature_items from stdin'))));
    const broken = Readable.from((async function* lines() { yield '9000\tx\t1\n'; throw new Error('changed my mind'); })());
    await fails('changed my mind', pipeline(broken, c.query(copy.from('copy feature_items from stdin'))));
    equal(await rows(c, 'select count(*)::int from feature_items'), [[100]]);
});

test('copyout', async () => {
    const c = await connect();
    let got = '';
    for await (const part of c.query(copy.to("copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout with csv"))) got += part;
    equal(got, range(1, 20001).map((n) => `${n},row ${n}\n`).join(''));
});

test('listen', async () => {
    const [c, deaf, other] = [await connect(), await connect(), await connect()];
    const got = [];
    for (const one of [c, deaf]) one.on('notification', (n) => got.push([n.channel, n.payload]));
    await c.query('listen feature_channel');
    for (const i of range(0, 3)) await rows(other, "select pg_notify('feature_channel', $1)", [`payload ${i} ü`]);
    for (let i = 0; got.length < 3 && i < 500; i++) await sleep(20);
    await c.query('unlisten *');
    await other.query("notify feature_channel, 'late'");
    await sleep(200);
    equal(got, range(0, 3).map((i) => ['feature_channel', `payload ${i} ü`]));
    equal(await rows(c, 'select 2'), [[2]]);
});

test('cancel', async () => {
    const [c, other] = [await connect(), await connect()];
    for (const n of [1, 2]) { // what node-postgres has for it
        const query = new pg.Query('select pg_sleep(20)');
        const ended = new Promise((resolve) => { query.on('error', resolve); query.on('end', () => resolve({ code: 'none' })); });
        c.query(query);
        await sleep(200);
        const killer = new pg.Client(where);
        killer.connection.on('error', () => {});
        killer.cancel(c, query);
        equal([(await ended).code, await rows(c, 'select 3'), await rows(other, 'select $1::int', [n])], ['57014', [[3]], [[n]]]);
    }
});

test('transactions', async () => {
    const [c, other] = [await connect(), await connect()];
    await c.query('begin isolation level repeatable read');
    equal(await rows(c, 'select name from feature_items where id = $1', [1]), [['item 1']]);
    await rows(other, "update feature_items set name = 'changed' where id = $1", [1]);
    await c.query('savepoint s');
    await fails('40001', rows(c, "update feature_items set name = 'mine' where id = $1", [1]));
    await c.query('rollback to s');
    equal(await rows(c, 'select name from feature_items where id = $1', [1]), [['item 1']]);
    await c.query('commit');
    await rows(other, "update feature_items set name = 'item 1' where id = $1", [1]);
    equal(await rows(c, 'select name from feature_items where id = $1', [1]), [['item 1']]);
});

test('errors', async () => {
    const c = await connect();
    const heard = [];
    c.on('notice', (n) => heard.push(n.message));
    for (const name of [undefined, 'mine', 'mine']) {
        const e = await fails('23505', rows(c, "insert into feature_items values ($1, 'x', 0)", [1], { name }));
        equal([e.constraint, e.table, e.detail], ['feature_items_pkey', 'feature_items', 'Key (id)=(1) already exists.']);
        await fails('42703', rows(c, 'select nothing_like_it, $1::int', [1]));
        equal(await rows(c, 'select $1::int', [8]), [[8]]);
    }
    await c.query("do $$ begin raise notice 'heard'; end $$");
    equal(heard, ['heard']);
});

test('pool', async () => {
    const pool = new pg.Pool({ ...where, max: 6, maxUses: 7 });
    const got = await Promise.all(range(0, 200).map((i) => pool.query({ name: 'mine', text: 'select $1::int as v', values: [i] })));
    equal(got.map((r) => r.rows[0].v), range(0, 200));
    await pool.end();
});

main(`node-postgres ${createRequire(import.meta.url)('pg/package.json').version}`);
