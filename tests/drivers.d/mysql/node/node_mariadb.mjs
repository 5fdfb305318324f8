// mariadb (node): its pipelining, batches, streams and reset.
import fs from 'node:fs'
import mariadb from 'mariadb'
import { CA, DATABASE, EMOJI, FOLDER, HOST, MEGABYTE, OTHER_CA, PASSWORD, PORT, USER, attempt, main, see, sleep, version } from './look.mjs'

const options = (more = {}) => ({
    host: HOST, port: PORT, user: USER, password: PASSWORD, database: DATABASE, allowPublicKeyRetrieval: false,
    ...(CA ? { ssl: { ca: fs.readFileSync(CA) } } : {}), ...more,
})
const told = (e) => [e.errno, e.sqlState ?? e.code, String(e.sqlMessage ?? e.message).replace(/\(conn:-?\d+,[^)]*\) ?/, '')]
const fails = (what, work) => attempt(what, work, told)

async function using(more, work) {
    const c = await mariadb.createConnection(options(more))
    c.on('error', () => {})
    try { return await work(c) } finally { c.destroy() }
}

async function ended(statement) {
    await using({}, (c) => using({}, async (other) => {
        const sql = await statement(c)
        const killer = sleep(700).then(() => other.query(sql).then(() => ['nothing'], told))
        await fails('ended', async () => see(await c.query('select sleep(3)')))
        see('killer', ...(await killer))
        await fails('later', async () => see(await c.query('select 1')))
    }))
}

const features = {
    async login() {
        await using({}, async (c) => see(await c.query('select 1, current_user(), database(), @@character_set_client, @@collation_connection')))
        await using({ database: undefined }, async (c) => see(await c.query('select database() as d')))
        for (const wrong of [{ password: 'wrong' }, { user: 'nobody' }]) await fails('login', () => using(wrong, async () => {}))
        await using({ sessionVariables: { sql_mode: 'ANSI' }, initSql: 'set @a = 7' }, async (c) => see(await c.query('select @@sql_mode, @a')))
    },
    async tls() {
        if (!CA) return see('-')
        await using({}, async (c) => see('encrypted', (await c.query('select 1')).length ? 'yes' : 'no'))
        await fails('in clear', () => using({ ssl: false }, async () => {}))
        see('stranger', await using({ ssl: { ca: fs.readFileSync(OTHER_CA) } }, async () => 'taken').catch(() => 'refused'))
    },
    async types() {
        await using({}, async (c) => {
            const plain = ({ js, g, ...row }) => see(row) // what it makes of JSON and POINT is in `metadata`
            ;(await c.query('select * from d_types order by id')).forEach(plain)
            ;(await c.execute('select * from d_types where id <> ? order by id', [9])).forEach(plain)
        })
    },
    async metadata() {
        await using({}, async (c) => {
            const found = await c.query('select * from d_types')
            see(found.meta.map((m) => [m.name(), m.type, m.dataTypeName ?? '', m.dataTypeFormat ?? '']))
        })
    },
    async unicode() {
        await using({}, async (c) => {
            await c.query('insert into d_texts (t) values (?)', [EMOJI])
            see(await c.execute('select t, length(t), t = ? as same from d_texts', [EMOJI]))
        })
    },
    async prepared() {
        await using({ prepareCacheLength: 5 }, async (c) => {
            for (let i = 0; i < 20; i++) see(await c.execute(`select ${i % 12} + ? as a`, [i]))
            const s = await c.prepare('select ? + 1 as a, ? as b')
            see(await s.execute([1, null]), await s.execute([2, 'x']))
            s.close()
            await fails('error', () => c.execute('select * from nowhere where a = ?', [1]))
            await fails('error', () => c.execute('insert into d_money values (?, ?)', [1, -1]))
            see(await c.execute('call d_out(?, @b, @c)', [21]))
        })
    },
    async results() {
        await using({ multipleStatements: true }, async (c) => {
            for (const sql of ["select 1; select 'two', 2; do 1; select 3", 'call d_two()']) see(await c.query(sql))
            await fails('in the middle', () => c.query('select 1; selec'))
            see(await Promise.all([1, 2, 3, 4, 5].map((i) => c.query('select ? as a', [i]))))
        })
    },
    async keys() {
        for (const more of [{}, { foundRows: false }, { bulk: true }]) {
            await using(more, async (c) => {
                for (const sql of ['insert into d_keys (v) values (1), (2)', 'update d_keys set v = 7', 'update d_keys set v = 7', 'delete from d_keys']) see(sql, await c.query(sql))
                const done = await c.batch('insert into d_keys (v, name) values (?, ?)', [[1, 'a'], [2, null], [3, 'ü']])
                see(done.affectedRows, await c.query('select v, name from d_keys order by id'))
                await c.query('truncate d_keys')
            })
        }
    },
    async transactions() {
        await using({}, (c) => using({}, async (other) => {
            await c.beginTransaction()
            await c.query('insert into d_money values (1, 10)')
            see(await other.query('select * from d_money'))
            await c.rollback()
            await c.beginTransaction()
            await c.query('insert into d_money values (1, 11)')
            await c.commit()
            see(await other.query('select * from d_money'))
        }))
    },
    async errors() {
        await using({}, async (c) => {
            for (const sql of ['selec', 'select * from nowhere', "signal sqlstate '45000' set message_text = 'our ü', mysql_errno = 30001", '']) await fails('error', () => c.query(sql))
            see(await c.query('select 1/0 as a'), await c.query('show warnings'))
        })
    },
    async large() {
        await using({ maxAllowedPacket: 64 << 20 }, async (c) => {
            for (const [id, data] of [[1, MEGABYTE], [2, Buffer.concat(Array(17).fill(MEGABYTE))]]) {
                await c.query('insert into d_large values (?, ?)', [id, data])
                await c.execute('insert into d_large values (?, ?)', [id + 10, data])
            }
            for (const row of await c.execute('select *, length(data) as n from d_large order by id')) see(row)
        })
    },
    async stream() {
        await using({}, async (c) => {
            let count = 0
            for await (const row of c.queryStream('select seq, repeat("x", 500) as x from seq_1_to_20000')) count += Number(row.seq)
            see(count, await c.query('select 1'))
        })
    },
    async reset() {
        await using({}, async (c) => {
            await c.query('set @a = 1')
            await c.reset()
            see(await c.query('select @a as a, database() as d'))
        })
    },
    async ping() {
        await using({}, async (c) => see(await c.ping(), c.isValid(), await c.query('select 1')))
    },
    async pool() {
        const pool = mariadb.createPool(options({ connectionLimit: 3, resetAfterUse: true }))
        see(await Promise.all([...Array(12).keys()].map((i) => pool.query('select ? as a', [i]))))
        await pool.end()
    },
    async timeout() {
        await fails('server', () => using({}, (c) => c.query({ sql: 'select count(*) from seq_1_to_100000 a, seq_1_to_100000 b where a.seq <> b.seq * 7', timeout: 500 })))
    },
    async kill() {
        await ended(async (c) => `kill query ${(await c.query('select connection_id() as i'))[0].i}`)
    },
    async cancel() {
        await ended(async (c) => `kill query ${c.threadId}`)
    },
    async attributes() {
        await using({ connectAttributes: { program_name: 'looks ü', long: 'x'.repeat(300) } }, async (c) => see(await c.query('select 1')))
    },
    async compress() {
        await using({ compress: true }, async (c) => see(await c.query("select repeat('x', 100000) as x"), await c.query('select 1')))
    },
    async change_user() {
        await using({}, async (c) => {
            await fails('changed', () => c.changeUser({ user: USER, password: PASSWORD, database: DATABASE }))
            await fails('later', async () => see(await c.query('select 1')))
        })
    },
    async infile() {
        await using({ permitLocalInfile: true }, async (c) => {
            await fails('loaded', () => c.query(`load data local infile '${FOLDER}/rows.txt' into table d_loaded`))
            see(await c.query('select * from d_loaded'))
        })
    },
}

await main(`mariadb_(node) ${version('mariadb')}`, features, told)
