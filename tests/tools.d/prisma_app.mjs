// Prisma's days: migrations with their shadow database, failing ones, reset, push, introspection; then its client: relations,
// transactions, raw SQL, a pool of three. A program for tools.py: prints what it sees; its database is that of PGHOST and so on,
// its folder the current one.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect } from "node:util";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const FOLDER = process.cwd();
const QUIET = { CHECKPOINT_DISABLE: "1", PRISMA_HIDE_UPDATE_MESSAGE: "1", NO_COLOR: "1", HOME: FOLDER };

const HEAD = `generator client {
  provider = "prisma-client-js"
  engineType = "client"
  output = "./generated"
}
datasource db {
  provider = "postgresql"
  url = "postgresql://nobody@127.0.0.1:1/nowhere"
}
`;
const FIRST = `
model Shelf {
  id Int @id @default(autoincrement())
  label String @unique
  items Item[]
}
model Item {
  id Int @id @default(autoincrement())
  name String @db.VarChar(40)
  size Int @default(0)
  shelf Shelf @relation(fields: [shelfId], references: [id], onDelete: Cascade)
  shelfId Int
  @@index([name, size])
  @@unique([shelfId, name])
}
`;
const SECOND = `
enum Colour {
  RED
  GREEN
}
model Shelf {
  id Int @id @default(autoincrement())
  label String @unique
  items Item[]
}
model Item {
  id Int @id @default(autoincrement())
  name String @db.VarChar(60)
  size Int @default(0)
  colour Colour @default(RED)
  doc Json @default("{}")
  tags String[]
  price Decimal? @db.Decimal(10, 2)
  big BigInt?
  bytes Bytes?
  at DateTime? @db.Timestamptz(6)
  shelf Shelf @relation(fields: [shelfId], references: [id], onDelete: Cascade)
  shelfId Int
  labels Label[]
  @@unique([shelfId, name])
}
model Label {
  key String @id @default(uuid()) @db.Uuid
  text String @unique
  items Item[]
}
`;
const FAILS = "29990101000001_c_fails", BY_HAND = "29990101000002_d_by_hand";

// ---- the command line ----

function plain(text) {
  return text
    .replace(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, "")
    .replaceAll(FOLDER, "FOLDER")
    .replace(/\b20\d{12}_/g, "WHEN_")
    .replace(/\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( UTC)?/g, "WHEN")
    .replace(/\b\d+(\.\d+)? ?(ms|s)\b/g, "TIME")
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "UUID")
    .replace(/\n{2,}/g, "\n");
}

function prisma(...args) {
  const command = [path.join(FOLDER, "node_modules/prisma/build/index.js"), ...args];
  const ran = spawnSync(process.execPath, command, { encoding: "utf8", timeout: 120000, env: { ...process.env, ...QUIET } });
  console.log(`==== prisma ${args.join(" ")}: ${ran.status ?? ran.signal}\n${plain(ran.stdout)}${plain(ran.stderr)}`);
}

function file(name, text) {
  fs.mkdirSync(path.dirname(name), { recursive: true });
  fs.writeFileSync(name, text);
}

function execute(sql) {
  file("now.sql", sql);
  prisma("db", "execute", "--file", "now.sql", "--schema", "schema.prisma");
}

function prepare() {
  fs.rmSync("node_modules", { force: true });
  fs.symlinkSync(path.join(HERE, "node_modules"), "node_modules");
  fs.copyFileSync(path.join(HERE, "prisma.config.mjs"), "prisma.config.mjs");
  file("package.json", '{"type": "module"}');
}

function migrate() {
  file("schema.prisma", HEAD + FIRST.replace("items Item[]", "items Missing[]"));
  prisma("validate");
  file("schema.prisma", HEAD + FIRST);
  prisma("validate");
  prisma("format");
  prisma("migrate", "status");
  prisma("migrate", "dev", "--name", "a_first", "--skip-generate");
  execute(`insert into "Shelf" (label) values ('old'); insert into "Item" (name, "shelfId") values ('old', 1);`);
  file("schema.prisma", HEAD + SECOND);
  prisma("migrate", "dev", "--name", "b_second", "--skip-generate");
  prisma("migrate", "dev", "--skip-generate");
  for (const name of fs.readdirSync("migrations").sort().filter((name) => /^20/.test(name))) {
    console.log(plain(name), fs.readFileSync(`migrations/${name}/migration.sql`, "utf8"));
  }
}

function fail() {
  const sql = 'create or replace view "Large" as select * from "Item" where size > 290;\n';
  file(`migrations/${FAILS}/migration.sql`, `${sql}select 1 / 0;\n`);
  prisma("migrate", "deploy");
  prisma("migrate", "status");
  prisma("migrate", "deploy");
  file(`migrations/${FAILS}/migration.sql`, sql);
  execute(sql);
  prisma("migrate", "resolve", "--applied", FAILS); // "--rolled-back" wants the downloaded engine
  prisma("migrate", "deploy");
  const check = 'alter table "Item" add constraint "size_is_positive" check (size >= 0);\n';
  execute(check);
  file(`migrations/${BY_HAND}/migration.sql`, check);
  prisma("migrate", "resolve", "--applied", BY_HAND);
  prisma("migrate", "deploy");
  prisma("migrate", "status");
  execute('alter table "Item" add drifted int;');
  prisma("migrate", "dev", "--skip-generate");
  prisma("migrate", "diff", "--from-migrations", "migrations", "--to-schema-datamodel", "schema.prisma", "--script");
  prisma("migrate", "reset", "--force", "--skip-generate", "--skip-seed");
  prisma("migrate", "status");
}

function push() {
  const more = SECOND.replace("text String @unique", "text String @unique\n  extra Int @default(4)");
  file("schema.prisma", HEAD + more);
  prisma("db", "push", "--skip-generate");
  execute(`insert into "Label" (key, text) values (gen_random_uuid(), 'pushed');`);
  file("schema.prisma", HEAD + SECOND);
  prisma("db", "push", "--skip-generate");
  prisma("db", "push", "--skip-generate", "--accept-data-loss");
  prisma("db", "pull", "--print");
  file("pulled.prisma", HEAD);
  prisma("db", "pull", "--schema", "pulled.prisma");
  console.log(fs.readFileSync("pulled.prisma", "utf8"));
  prisma("generate", "--no-hints");
}

// ---- the client ----

function show(what, value) {
  console.log(`${what}:`, inspect(value, { depth: null, breakLength: 150, maxArrayLength: null }));
}

async function trying(what, work) {
  try {
    show(what, await work());
  } catch (e) {
    const message = plain(e.message).trim().split("\n");
    const { driverAdapterError, timeTaken, ...meta } = e.meta ?? {};
    show(`${what}: ${e.code ?? e.name} ${message.at(-1)}`, { ...meta, ...driverAdapterError?.cause });
  }
}

async function write(db) {
  const shelves = [];
  for (let i = 0; i < 3; i++) shelves.push(await db.shelf.create({ data: { label: `shelf ${i}` } }));
  const rows = Array.from({ length: 300 }, (_, i) => ({
    name: `item ${i}`, shelfId: shelves[i % 3].id, size: i, doc: { n: i, s: "it's" }, tags: [`t${i}`, 'a"b'], price: `${i}.25`,
    big: 9007199254740993n + BigInt(i), bytes: new Uint8Array([i % 256, 0, 92]), at: new Date(Date.UTC(2026, 2, 29, 0, 30, 0, i)),
    colour: i % 2 ? "RED" : "GREEN",
  }));
  show("many", await db.item.createMany({ data: rows }));
  show("skipped", await db.item.createMany({ data: [rows[0], { name: "new", shelfId: shelves[0].id }], skipDuplicates: true }));
  const x = [{ name: "x", shelfId: shelves[1].id }];
  show("returned", await db.item.createManyAndReturn({ data: x, select: { name: true, colour: true } }));
  const text = { orderBy: { text: "asc" }, select: { text: true } };
  const nested = await db.shelf.create({
    data: {
      label: "nested",
      items: {
        create: [
          { name: "one", labels: { create: [{ text: "red" }, { text: "blue" }] } },
          { name: "two", labels: { connectOrCreate: [{ where: { text: "red" }, create: { text: "red" } }] } },
        ],
      },
    },
    include: { items: { orderBy: { name: "asc" }, select: { name: true, labels: text } } },
  });
  show("nested", nested.items);
  const changed = await db.item.updateMany({ where: { size: { gt: 290 } }, data: { size: { increment: 1000 }, colour: "GREEN" } });
  show("changed", changed);
  for (const label of ["nested", "upserted", "upserted"]) {
    const { id, ...shelf } = await db.shelf.upsert({ where: { label }, create: { label }, update: { label: `${label} again` } });
    show("upserted", [id > 0, shelf]);
  }
  await trying("unique", () => db.shelf.create({ data: { label: "shelf 1" } }));
  await trying("unique of two", () => db.item.create({ data: { name: "item 0", shelfId: shelves[0].id } }));
  await trying("foreign", () => db.item.create({ data: { name: "lost", shelfId: 4711 } }));
  await trying("not there", () => db.item.update({ where: { id: 4711 }, data: { size: 1 } }));
  await trying("none", () => db.item.findUniqueOrThrow({ where: { id: 4711 } }));
  await trying("check", () => db.item.updateMany({ where: { name: "item 7" }, data: { size: -1 } }));
  await trying("too long", () => db.item.updateMany({ where: { name: "item 7" }, data: { name: "x".repeat(61) } }));
}

async function read(db) {
  const order = { orderBy: { id: "asc" } }, name = { select: { name: true } };
  for (let i = 0; i < 5; i++) {
    show("item", await db.item.findFirst({ where: { name: `item ${i}` }, omit: { id: true }, include: { shelf: true } }));
  }
  const find = async (what, query) => show(what, await db.item.findMany({ ...order, ...query }));
  await find("page", { where: { size: { lt: 200 } }, skip: 10, take: 5, select: { name: true, price: true } });
  await find("cursor", { cursor: { id: 20 }, take: -3, select: { id: true, name: true } });
  await find("json", { where: { doc: { path: ["n"], equals: 7 } }, select: { name: true, tags: true } });
  await find("array", { where: { tags: { has: "t8" } }, select: { name: true, bytes: true, big: true, at: true } });
  await find("or", { where: { OR: [{ name: { contains: "M 29", mode: "insensitive" } }, { labels: { some: {} } }] }, ...name });
  const ids = Array.from({ length: 40000 }, (_, i) => i); // more than a statement may have parameters
  show("in", (await db.item.findMany({ where: { id: { in: ids } } })).length);
  const orderBy = [{ shelfId: "asc" }, { colour: "asc" }];
  show("group", await db.item.groupBy({ by: ["colour", "shelfId"], _sum: { size: true, price: true }, _count: true, orderBy }));
  show("aggregate", await db.item.aggregate({ _avg: { size: true }, _max: { big: true, at: true }, where: { colour: "RED" } }));
  const select = { label: true, _count: { select: { items: true } }, items: { take: 2, ...order, ...name } };
  show("shelves", await db.shelf.findMany({ ...order, select }));
  show("deleted", await db.item.deleteMany({ where: { name: { in: ["new", "x"] } } }));
}

async function raw(db, Prisma) {
  const name = "item 3", sizes = [3, 4, 5];
  show("raw", await db.$queryRaw`select name, size, price, big, at, doc, tags, bytes from "Item" where name = ${name}`);
  show("any", await db.$queryRaw`select name from "Item" where size = any(${sizes}) order by name`);
  show("in", await db.$queryRaw(Prisma.sql`select count(*) from "Item" where size in (${Prisma.join(sizes)})`));
  const at = new Date(Date.UTC(2026, 0, 2, 3, 4, 5));
  show("types", await db.$queryRaw`select ${1}::int + 1 as i, ${2n}::bigint as b, ${true}::bool as t, ${null}::text as n,
    ${at}::timestamptz as at, ${{ a: [1] }}::jsonb as j`);
  show("executed", await db.$executeRaw`update "Item" set size = size + ${1} where colour = ${"RED"}::"Colour"`);
  show("unsafe", await db.$queryRawUnsafe("select current_setting('standard_conforming_strings') as s, $1::text as p", "it's"));
  await trying("divided", () => db.$queryRaw`select 1 / ${0}::int as v`);
  await trying("wrong", () => db.$queryRawUnsafe("selec 1"));
  await db.$executeRawUnsafe('alter table "Shelf" add extra int default 4');
  show("with extra", await db.$queryRaw`select * from "Shelf" where label = ${"shelf 2"}`);
  await db.$executeRawUnsafe('alter table "Shelf" drop extra');
  show("without", await db.$queryRaw`select * from "Shelf" where label = ${"shelf 2"}`);
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function transactions(db) {
  const count = async () => [await db.shelf.count(), await db.item.count()];
  const label = (text) => db.shelf.create({ data: { label: text } });
  const update = db.item.updateMany({ data: { price: 1 }, where: { id: 5 } });
  show("array", (await db.$transaction([label("in array"), db.shelf.count(), update])).slice(1));
  await trying("array fails", () => db.$transaction([label("goes"), label("shelf 1"), label("never")]));
  show("count", await count());
  const inside = await db.$transaction(async (tx) => {
    await tx.$executeRaw`select set_config('app.who', ${"prisma"}, true)`;
    const shelf = await tx.shelf.create({ data: { label: "inside", items: { create: { name: "inside" } } } });
    await sleep(50);
    const who = await tx.$queryRaw`select current_setting('app.who') as who, current_setting('transaction_isolation') as level`;
    return [await tx.item.count({ where: { shelfId: shelf.id } }), who];
  });
  show("interactive", inside);
  show("afterwards", await db.$queryRaw`select nullif(current_setting('app.who', true), '') as who`);
  const rolledBack = db.$transaction(async (tx) => {
    await tx.item.deleteMany();
    show("none left", await tx.item.count());
    throw new Error("not really");
  });
  await trying("rolled back", () => rolledBack);
  await trying("caught", () =>
    db.$transaction(async (tx) => {
      await trying("unique inside", () => tx.shelf.create({ data: { label: "shelf 1" } }));
      return tx.shelf.count();
    }),
  );
  show("count", await count());
  for (const isolationLevel of ["ReadUncommitted", "ReadCommitted", "RepeatableRead", "Serializable"]) {
    show(isolationLevel, await db.$transaction((tx) => tx.$queryRaw`show transaction_isolation`, { isolationLevel }));
    show("of an array", await db.$transaction([db.$queryRaw`show transaction_isolation`, db.shelf.count()], { isolationLevel }));
  }
  show("default", await db.$queryRaw`show transaction_isolation`);
  await trying("too late", () =>
    db.$transaction(
      async (tx) => {
        await tx.item.deleteMany();
        await sleep(1500);
        return tx.item.count();
      },
      { timeout: 400 },
    ),
  );
  show("count", await count());
  await conflict(db);
}

// Both read what the other one writes; the second to write loses.
async function conflict(db) {
  const level = { isolationLevel: "Serializable" };
  let read, wrote;
  const hasRead = new Promise((resolve) => (read = resolve)), hasWritten = new Promise((resolve) => (wrote = resolve));
  const second = trying("second", () =>
    db.$transaction(async (tx) => {
      await tx.item.count();
      read();
      await hasWritten;
      return tx.item.updateMany({ where: { name: "item 1" }, data: { size: 5 } });
    }, level),
  );
  await hasRead;
  const update = { where: { name: "item 1" }, data: { size: { increment: 1 } } };
  await trying("first", () => db.$transaction((tx) => tx.item.updateMany(update), level));
  wrote();
  await second;
}

async function together(db) {
  const slow = (i) => db.$queryRaw`select ${i}::int * 2 as v from pg_sleep(0.02)`;
  show("together", (await Promise.all(Array.from({ length: 24 }, (_, i) => slow(i)))).map((rows) => rows[0].v));
  const work = async (i) => {
    await db.item.update({ where: { id: i + 10 }, data: { size: { increment: i } } });
    await db.$transaction(async (tx) => {
      await tx.$executeRaw`select set_config('app.who', ${`work ${i}`}, true)`;
      await tx.$executeRaw`update "Shelf" set label = label || '.' where id = 1`;
      const [{ who }] = await tx.$queryRaw`select current_setting('app.who') as who`;
      if (who !== `work ${i}`) throw new Error(`${i}: ${who}`);
    }, { maxWait: 20000, timeout: 20000 });
    return (await db.item.findUnique({ where: { id: i + 10 } })).name;
  };
  show("workers", await Promise.all(Array.from({ length: 8 }, (_, i) => work(i))));
  show("shelf", await db.shelf.findUnique({ where: { id: 1 } }));
}

async function client() {
  const { PrismaPg } = await import(pathToFileURL(path.join(FOLDER, "node_modules/@prisma/adapter-pg/dist/index.mjs")));
  const generated = await import(pathToFileURL(path.join(FOLDER, "generated/index.js")));
  const { PrismaClient, Prisma } = generated.default;
  const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE } = process.env;
  const where = { host: PGHOST, port: Number(PGPORT), user: PGUSER, password: PGPASSWORD, database: PGDATABASE };
  const db = new PrismaClient({ adapter: new PrismaPg({ ...where, max: 3 }), errorFormat: "minimal" });
  await write(db);
  await read(db);
  await raw(db, Prisma);
  await transactions(db);
  await together(db);
  await db.$disconnect();
  show("connects again", await db.shelf.count());
  await db.$disconnect();
}

prepare();
migrate();
fail();
push();
await client();
console.log("done");
