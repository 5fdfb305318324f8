// What the programs in JavaScript share.
import crypto from 'node:crypto'
import fs from 'node:fs'

const env = (name) => process.env[`MY_${name}`]
export const [HOST, USER, PASSWORD, DATABASE, FOLDER, CA, OTHER_CA] = ['HOST', 'USER', 'PASSWORD', 'DATABASE', 'FOLDER', 'CA', 'OTHER_CA'].map(env)
export const PORT = Number(env('PORT'))
export const EMOJI = 'ü – 漢字 – 🐬 – \\ \' " \n%'
export const MEGABYTE = Buffer.alloc(1 << 20, Buffer.from([...Array(256).keys()]))
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms))
export const version = (name) => JSON.parse(fs.readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version

const plain = (key, value) => (typeof value === 'bigint' ? `${value}n` : value?.type === 'Buffer' ? `x${Buffer.from(value.data).toString('latin1')}` : value)

function short(value) {
    if (typeof value === 'string' && /^[a-z ]+$|^-$/.test(value)) return value
    const text = JSON.stringify(value, plain) ?? 'undefined'
    return text.length < 2000 ? text : `${text.length} ${crypto.createHash('md5').update(text).digest('hex')}`
}

// One line; what is long, by its length and hash.
export function see(...values) {
    fs.writeSync(1, values.map(short).join(' ') + '\n')
}

export async function attempt(what, work, told) {
    try {
        await work()
        see(what, 'nothing')
    } catch (e) {
        see(what, ...told(e))
    }
}

export async function main(name, features, told) {
    fs.writeSync(1, `version ${name}\n`)
    for (const [feature, work] of Object.entries(features)) {
        fs.writeSync(1, `begin ${feature}\n`)
        try {
            await work()
        } catch (e) {
            fs.writeSync(1, `raised ${JSON.stringify(told(e))} ${e.stack.split('\n')[1]}\n`)
        }
    }
    fs.writeSync(1, 'end\n')
    process.exit(0)
}
