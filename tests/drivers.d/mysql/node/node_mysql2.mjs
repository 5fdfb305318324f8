// mysql2 (node), by promises and by events.
import fs from 'node:fs'
import mysql from 'mysql2/promise'
import { CA, DATABASE, EMOJI, FOLDER, HOST, MEGABYTE, OTHER_CA, PASSWORD, PORT, USER, attempt, main, sleep, see, version } from './look.mjs'

const options = (more = {}) => ({
    host: HOST, port: PORT, user: USER, password: PASSWORD, database: DATABASE, supportBigNumbers: true, bigNumberStrings: true,
    ...(CA ? { ssl: { ca: fs.readFileSync(CA) } } : {}), ...more,
})
const told = (e) => [e.errno, e.sqlState, e.message]

async function using(more, work) {
    const c = await mysql.createConnection(options(more))
    c.on('error', () => {})
    try { return await work(c) } finally { c.destroy() }
}
const rows = async (c, sql, args) => (await c.query(sql, args))[0]
const fails = (what, work) => attempt(what, work, told)

// Rows of an unbuffered result, as they come.
const streamed = async (c, sql, most) => {
    let count = 0, first
    for await (const row of c.connection.query(sql).stream({ highWaterMark: 5 })) {
        first ??= row
        if (++count === most) break
    }
    return [count, first]
}

// What a query is told that another connection ends.
async function ended(statement) {
    await using({}, (c) => using({}, async (other) => {
        const sql = await statement(c)
        const killer = sleep(700).then(() => other.query(sql).then(() => ['nothing'], told))
        await fails('ended', async () => see(await rows(c, 'select sleep(3)')))
        see('killer', ...(await killer))
        await fails('later', async () => see(await rows(c, 'select 1')))
    }))
}

const features = {
    async login() {
        await using({}, async (c) => see(await rows(c, 'select 1, current_user(), database(), @@character_set_client, @@collation_connection')))
        await using({ database: undefined }, async (c) => see(await rows(c, 'select database() as d')))
        for (const wrong of [{ password: 'wrong' }, { password: '' }, { user: 'nobody' }]) await fails('login', () => using(wrong, async () => {}))
        await using({ charset: 'LATIN1_SWEDISH_CI' }, async (c) => see(await rows(c, "select @@character_set_client, 'ü'")))
    },
    async tls() {
        if (!CA) return see('-')
        await using({}, async (c) => see('encrypted', (await rows(c, 'select 1')).length ? 'yes' : 'no'))
        await fails('in clear', () => using({ ssl: undefined }, async () => {}))
        const stranger = using({ ssl: { ca: fs.readFileSync(OTHER_CA) } }, async () => 'taken')
        see('stranger', await stranger.catch(() => 'refused'))
    },
    async types() {
        await using({}, async (c) => {
            const [found, fields] = await c.query('select * from d_types order by id')
            for (const row of found) see(row)
            see(fields.map((f) => [f.name, f.columnType, f.columnLength, f.flags, f.decimals, f.characterSet]))
        })
        await using({ dateStrings: true, rowsAsArray: true, typeCast: false }, async (c) => see(await rows(c, 'select * from d_types where id < 3')))
    },
    async unicode() {
        await using({}, async (c) => {
            await c.query('insert into d_texts (t) values (?)', [EMOJI])
            see(await rows(c, 'select t, length(t), t = ? as same from d_texts', [EMOJI]))
            see((await c.execute('select t, ? as `漢字` from d_texts where t = ?', [EMOJI, EMOJI]))[0])
        })
    },
    async prepared() {
        await using({ maxPreparedStatements: 5 }, async (c) => {
            const [found, fields] = await c.execute('select * from d_types where id <> ? order by id', [9])
            for (const row of found) see(row)
            see(fields.map((f) => [f.name, f.columnType, f.flags]))
            see((await c.execute('select ?, ?, ?, ?, ?, ?', [1, 'x', null, 1.5, Buffer.from([0, 255]), new Date(0)]))[0])
            for (let i = 0; i < 20; i++) see((await c.execute(`select ${i % 12} + ? as a`, [i]))[0])
            const statement = await c.prepare('select ? + 1 as a')
            see((await statement.execute([1]))[0], (await statement.execute([2]))[0])
            await statement.close()
            await fails('error', () => c.execute('select * from nowhere where a = ?', [1]))
            await fails('error', () => c.execute("insert into d_money values (?, ?)", [1, -1]))
            c.unprepare('select 0 + ? as a')
            see((await c.execute('call d_two()'))[0])
        })
    },
    async results() {
        await using({ multipleStatements: true }, async (c) => {
            for (const sql of ["select 1; select 'two', 2; do 1; select 3", 'call d_two()', "set @b = 0, @c = 'x'; call d_out(1, @b, @c); select @b, @c"]) see(await rows(c, sql))
            await fails('in the middle', () => rows(c, 'select 1; selec'))
            see(await rows(c, 'select 1'))
        })
        await fails('one only', () => using({}, (c) => rows(c, 'select 1; select 2')))
    },
    async keys() {
        for (const flags of [['-FOUND_ROWS'], ['FOUND_ROWS']]) {
            await using({ flags }, async (c) => {
                for (const sql of ['insert into d_keys (v) values (1), (2)', 'update d_keys set v = 7', 'update d_keys set v = 7', 'delete from d_keys',
                    'insert into d_keys (id) values (1 << 40)', 'truncate d_keys']) see(sql, await rows(c, sql))
            })
        }
    },
    async transactions() {
        await using({}, (c) => using({}, async (other) => {
            await c.beginTransaction()
            await rows(c, 'insert into d_money values (1, 10)')
            see(await rows(other, 'select * from d_money'))
            await c.rollback()
            await c.beginTransaction()
            await rows(c, 'insert into d_money values (1, 11)')
            await c.commit()
            see(await rows(other, 'select * from d_money'))
        }))
    },
    async errors() {
        await using({}, async (c) => {
            for (const sql of ['selec', 'select * from nowhere', 'select nothing', "insert into d_money values ('x', 1)", 'insert into d_money values (2, -1)',
                "signal sqlstate '45000' set message_text = 'our ü', mysql_errno = 30001", 'select if(seq < 5, seq, (select 1 union select 2)) as a from seq_1_to_9', '']) {
                await fails(sql.slice(0, 9), () => rows(c, sql))
            }
            see(await rows(c, 'select 1/0 as a'), await rows(c, 'show warnings'))
        })
    },
    async large() {
        await using({}, async (c) => {
            for (const [id, data] of [[1, MEGABYTE], [2, Buffer.concat(Array(17).fill(MEGABYTE))]]) {
                await c.query('insert into d_large values (?, ?)', [id, data])
                await c.execute('insert into d_large values (?, ?)', [id + 10, data])
            }
            for (const row of await rows(c, 'select *, length(data) as n from d_large order by id')) see(row)
            for (const row of (await c.execute('select * from d_large order by id'))[0]) see(row)
        })
    },
    async stream() {
        await using({}, async (c) => {
            see(await streamed(c, 'select seq, repeat("x", 500) as x from seq_1_to_20000'))
            see(await rows(c, 'select 1'))
        })
        await using({}, async (c) => see(await streamed(c, 'select seq from seq_1_to_20000', 50)))
    },
    async schema() {
        await using({}, async (c) => {
            await rows(c, 'use information_schema')
            see(await rows(c, 'select database() as d'))
        })
    },
    async reset() {
        await using({}, async (c) => {
            await rows(c, 'set @a = 1')
            await c.execute('select ?', [1])
            if (!c.connection.reset) return see('-')
            await new Promise((done, failed) => c.connection.reset((e) => (e ? failed(e) : done())))
            see(await rows(c, 'select @a as a, database() as d'), (await c.execute('select ? as a', [1]))[0])
        })
    },
    async ping() {
        await using({}, async (c) => see(await c.ping(), await rows(c, 'select 1')))
    },
    async pool() {
        const pool = mysql.createPool(options({ connectionLimit: 3 }))
        const borrow = async (i) => {
            const c = await pool.getConnection()
            try {
                await c.query('set @a = ?', [i])
                await sleep(5)
                return (await c.execute('select @a as a, ? as b', [i]))[0][0]
            } finally { c.release() }
        }
        see(await Promise.all([...Array(12).keys()].map(borrow)))
        await pool.end()
    },
    async timeout() {
        await fails('driver', () => using({}, (c) => c.query({ sql: 'select sleep(3)', timeout: 500 })))
        await fails('server', () => using({}, async (c) => {
            await rows(c, 'set max_statement_time = 0.5')
            await rows(c, 'select count(*) from seq_1_to_100000 a, seq_1_to_100000 b where a.seq <> b.seq * 7')
        }))
    },
    async kill() {
        await ended(async (c) => `kill query ${(await rows(c, 'select connection_id() as i'))[0].i}`)
    },
    async cancel() {
        await ended(async (c) => `kill query ${c.threadId}`)
    },
    async attributes() {
        await using({ connectAttributes: { program_name: 'looks ü', long: 'x'.repeat(300) } }, async (c) => see(await rows(c, 'select 1')))
    },
    async compress() {
        await using({ compress: true }, async (c) => see(await rows(c, "select repeat('x', 100000) as x"), await rows(c, 'select 1')))
    },
    async change_user() {
        await using({}, async (c) => {
            await fails('changed', () => c.changeUser({ user: USER, password: PASSWORD, database: DATABASE }))
            see(await rows(c, 'select database() as d'))
        })
    },
    async infile() {
        const more = { infileStreamFactory: () => fs.createReadStream(`${FOLDER}/rows.txt`) }
        await using({}, async (c) => {
            await fails('loaded', () => c.query({ sql: "load data local infile 'rows.txt' into table d_loaded", ...more }))
            see(await rows(c, 'select * from d_loaded'))
        })
    },
}

await main(`mysql2_(node) ${version('mysql2')}`, features, told)
