// What the programs in JavaScript share: features by their names, and what they say about each.
import assert from 'node:assert/strict';

export const env = process.env;
export const moves = env.FEATURES_ROUTE !== 'direct';
const work = new Map();
export const feature = (name, fn) => work.set(name, fn);
export const equal = (got, expected) => assert.deepEqual(got, expected);
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

// The promise fails with this SQLSTATE, or with this text.
export async function fails(what, promise) {
    try {
        await (typeof promise === 'function' ? promise() : promise);
    } catch (e) {
        if (e.code === what || String(e.message).includes(what)) return e;
        throw new Error(`error ${e.code} ${e.message}, not ${what}`);
    }
    throw new Error(`no error ${what}`);
}

export function moved(pids) {
    const seen = new Set(pids.map(String)), clients = new Set(pids.map((p) => String(p[0])));
    if (moves !== (seen.size > clients.size)) throw new Error(`statements were done by ${seen.size} server processes`);
}

export async function main(version) {
    console.log(`version ${version}`);
    const names = process.argv.slice(2);
    for (const name of names.length ? names : work.keys()) {
        if (!work.has(name)) continue;
        console.log(`begin ${name}`);
        let timer;
        try {
            const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('hangs')), 30000); });
            await Promise.race([work.get(name)(), late]);
            console.log(`${name} ok`);
        } catch (e) {
            console.log(`${name} failed ${`${e.name} ${e.message}`.replace(/\s+/g, ' ')}`);
        } finally {
            clearTimeout(timer);
        }
    }
    console.log('end');
    process.exit(0);
}
