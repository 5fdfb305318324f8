// How Prisma's command line reaches the database of PGHOST and so on: by its JavaScript driver, without an engine that would have
// to be downloaded. prisma_app.mjs puts this file into its folder.

import { PrismaPg } from "@prisma/adapter-pg";
import { ColumnTypeEnum } from "@prisma/driver-adapter-utils";
import { defineConfig } from "prisma/config";

const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE } = process.env;
const WHERE = { host: PGHOST, port: Number(PGPORT), user: PGUSER, password: PGPASSWORD, allowExitOnIdle: true };
const CHAR = 18, AS_TEXT = { [CHAR]: 25, 19: 25, 1003: 1009 }; // "char", name, name[]

// The adapter of 6.19.3 refuses types that the catalogs have.
async function connection(database) {
  const adapter = await new PrismaPg({ ...WHERE, database }).connect();
  const { performIO, queryRaw } = adapter;
  adapter.performIO = async (query) => {
    const result = await performIO.call(adapter, query);
    const fields = result.fields ?? []; // a script has an array of results
    query.chars = fields.map((field) => field.dataTypeID === CHAR);
    for (const field of fields) field.dataTypeID = AS_TEXT[field.dataTypeID] ?? field.dataTypeID;
    return result;
  };
  adapter.queryRaw = async (query) => {
    const result = await queryRaw.call(adapter, query);
    result.columnTypes = result.columnTypes.map((type, i) => (query.chars[i] ? ColumnTypeEnum.Character : type));
    return result;
  };
  return adapter;
}

// Its own way to leave a shadow database drops the database before it closes the connections to it, which PostgreSQL refuses.
async function shadow() {
  const main = await connection(PGDATABASE);
  const database = `prisma_migrate_shadow_db_${globalThis.crypto.randomUUID()}`;
  await main.executeScript(`CREATE DATABASE "${database}"`);
  const adapter = await connection(database);
  const { dispose } = adapter;
  adapter.dispose = async () => {
    await dispose.call(adapter);
    await main.executeScript(`DROP DATABASE "${database}"`);
    await main.dispose();
  };
  return adapter;
}

// The engine leaves its timers for locks and the like behind, of ten seconds and a minute, and the program would wait for them.
const { setTimeout } = globalThis;
globalThis.setTimeout = (f, ms, ...args) => (ms >= 10000 ? setTimeout(f, ms, ...args).unref() : setTimeout(f, ms, ...args));

export default defineConfig({
  schema: "schema.prisma",
  migrations: { path: "migrations" },
  experimental: { adapter: true },
  engine: "js",
  adapter: async () => ({
    provider: "postgres", adapterName: "@prisma/adapter-pg", connect: () => connection(PGDATABASE), connectToShadowDb: shadow,
  }),
});
