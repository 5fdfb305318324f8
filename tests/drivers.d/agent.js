// node-postgres behind the lines of README.md. Modes: named (a prepared statement for each text), unnamed, pool.
'use strict';
const readline = require('readline');
const crypto = require('crypto');
const { Client, Pool, types } = require('pg');
const Cursor = require('pg-cursor');
const copyFrom = require('pg-copy-streams').from;
const copyTo = require('pg-copy-streams').to;
const { Readable, Writable } = require('stream');
const { pipeline } = require('stream/promises');

types.setTypeParser(1082, (v) => v);
const escape = (v) => v === null || v === undefined ? '\\N' :
    String(v).replace(/\\/g, '\\\\').replace(/\t/g, '\\t').replace(/\n/g, '\\n');
const unescape = (v) => v.replace(/\\(.)/g, (_, c) => ({ t: '\t', n: '\n' })[c] || c);
const argument = (f) => f[0] === 'i' ? Number(f.slice(2)) : f[0] === 'x' ? 'x'.repeat(Number(f.slice(2))) : unescape(f.slice(2));
const address = { host: '127.0.0.1', port: Number(process.env.PGPORT), connectionTimeoutMillis: 15000 };
const clients = new Map();

function rowsOf(result) {
    const last = Array.isArray(result) ? result[result.length - 1] : result;
    const names = last.fields.map((f) => f.name);
    return ['ok', names.length, ...names, ...last.rows.flat()];
}

class One {
    constructor(mode) { this.mode = mode; }
    async open() {
        if (this.mode === 'pool') this.pool = new Pool({ ...address, max: 1 });
        else await this.renew();
    }
    async renew() {
        if (this.client) await this.client.end().catch(() => {});
        this.client = new Client(address);
        this.client.on('error', () => {});
        await this.client.connect();
    }
    query(sql, values) {
        const name = this.mode === 'unnamed' ? undefined : crypto.createHash('md5').update(sql).digest('hex');
        return (this.client || this.pool).query({ name, text: sql, values, rowMode: 'array' });
    }
    async begin() {
        if (this.pool) this.client = await this.pool.connect();
        await this.client.query('begin');
    }
    async finish(how) {
        try { await this.client.query(how); } finally {
            if (this.pool) { this.client.release(); this.client = null; }
        }
    }
    async do(op, fields) {
        if (op === 'query') return rowsOf(await this.query(fields[0], fields.slice(1).map(argument)));
        if (op === 'begin') return this.begin();
        if (op === 'commit' || op === 'rollback') return this.finish(op);
        if (op === 'heal') return this.pool ? undefined : this.renew();
        if (op === 'valid') { await (this.client || this.pool).query('select 1'); return undefined; }
        if (op === 'close') return this.pool ? this.pool.end() : this.client.end();
        if (op === 'cursor') return this.cursor(fields[0], Number(fields[1]));
        if (op === 'copyin') {
            await pipeline(Readable.from([fields[1]]), this.client.query(copyFrom(fields[0])));
            return undefined;
        }
        if (op === 'copyout') {
            const parts = [];
            const sink = new Writable({ write(chunk, _, done) { parts.push(chunk); done(); } });
            await pipeline(this.client.query(copyTo(fields[0])), sink);
            return ['ok', 1, 'copy', Buffer.concat(parts).toString()];
        }
        return ['unknown'];
    }
    async cursor(sql, size) {
        const cursor = this.client.query(new Cursor(sql, [], { rowMode: 'array' }));
        const rows = [];
        for (;;) {
            const some = await cursor.read(size);
            if (some.length === 0) break;
            rows.push(...some.map((r) => r[0]));
        }
        await cursor.close();
        return ['ok', 1, 'value', ...rows];
    }
}

// Many borrowers of one pool: each gets its own answer.
async function pool(size, borrowers) {
    const pool = new Pool({ ...address, max: size });
    let right = 0;
    await Promise.all(Array.from({ length: borrowers }, async (_, i) => {
        const c = await pool.connect();
        try {
            const r = await c.query({ name: 'mark', text: 'select $1::int as i', values: [i] });
            if (r.rows[0].i === i) right++;
        } finally { c.release(); }
    }));
    await pool.end();
    return ['ok', 1, 'right', right];
}

async function handle(line) {
    const [id, op, ...rest] = line.split('\t');
    const fields = op === 'query' ? [unescape(rest[0]), ...rest.slice(1)] : rest.map(unescape);
    let reply;
    try {
        if (op === 'open') {
            clients.set(id, new One(fields[0]));
            reply = await clients.get(id).open();
        } else if (op === 'pool') reply = await pool(Number(fields[0]), Number(fields[1]));
        else reply = await clients.get(id).do(op, fields);
        reply = reply || ['ok', 0];
    } catch (e) {
        reply = ['error', e.code || 'driver', e.message];
    }
    process.stdout.write([id, ...reply.map((v, i) => i < 2 ? v : escape(v))].join('\t') + '\n');
}

readline.createInterface({ input: process.stdin }).on('line', handle).on('close', () => process.exit(0));
