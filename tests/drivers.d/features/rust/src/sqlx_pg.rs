//! sqlx: a cache of named statements, streams of rows, COPY, a listener, nested transactions, its pool.
use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolCopyExt, PgPoolOptions, PgSslMode};
use sqlx::types::chrono::{DateTime, NaiveDate, Utc};
use sqlx::types::{BigDecimal, Uuid};
use sqlx::{ConnectOptions, Connection, Executor, Row};

use crate::{env, equal, fails, features, moved, Failure, Outcome};

fn options() -> PgConnectOptions {
    let port = env("PGPORT").parse().unwrap();
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(&env("PGUSER"))
        .password(&env("PGPASSWORD"))
        .database(&env("PGDATABASE"))
        .ssl_mode(PgSslMode::Disable)
}

async fn connect() -> Result<PgConnection, Failure> {
    Ok(options().connect().await?)
}

features!(login, tls, settings, binary, large, prepared, cursor, batch, copyin, copyout, listen, transactions, errors, pool);

async fn login() -> Outcome {
    let mut c = options().application_name("features of sqlx").connect().await?;
    let got: (String, String) = sqlx::query_as("select current_user::text, current_setting('application_name')").fetch_one(&mut c).await?;
    equal(got, (env("PGUSER"), "features of sqlx".to_string()))?;
    c.ping().await?;
    fails("28P01", options().password("wrong").connect().await)?;
    fails("3D000", options().database("nowhere_at_all").connect().await)
}

async fn tls() -> Outcome {
    let with = |host: &str, ca: String| options().host(host).ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(ca);
    let mut c = with("localhost", env("FEATURES_CA")).connect().await?;
    equal(sqlx::query_scalar::<_, i32>("select 1").fetch_one(&mut c).await?, 1)?;
    fails("certificate verify failed", with("localhost", env("FEATURES_OTHER_CA")).connect().await)?;
    fails("certificate verify failed", with("127.0.0.1", env("FEATURES_CA")).connect().await)
}

async fn settings() -> Outcome {
    let mut some = Vec::new();
    for i in 0..5 {
        let mut c = options().options([("search_path", format!("s{i}")), ("app.mine", i.to_string())]).connect().await?;
        c.execute(&*format!("set timezone to 'Etc/GMT+{i}'")).await?;
        some.push(c);
    }
    let mut pids = HashSet::new();
    for n in 0..5 {
        some[n].execute("begin; select 1").await?; // somebody else has to do without this one's server connection
        for (i, c) in some.iter_mut().enumerate() {
            let sql = "select current_setting('search_path'), current_setting('app.mine'), current_setting('timezone'), pg_backend_pid()";
            let got: (String, String, String, i32) = sqlx::query_as(sql).fetch_one(c).await?;
            equal((got.0, got.1, got.2), (format!("s{i}"), i.to_string(), format!("Etc/GMT+{i}")))?;
            pids.insert((i as i32, got.3));
        }
        some[n].execute("commit").await?;
    }
    moved(&pids)
}

async fn binary() -> Outcome {
    let mut c = connect().await?;
    let when: DateTime<Utc> = "2024-02-29T12:30:15.123456Z".parse()?;
    let (day, id, json) = (NaiveDate::from_ymd_opt(2024, 2, 29), Uuid::from_u128(77), serde_json::json!({"a": [1, "ü"]}));
    let (bytes, texts, number) = (vec![0u8, 255, 39], vec!["a,b".to_string(), "\"".to_string()], "12345.6789".parse::<BigDecimal>()?);
    for _ in 0..3 {
        let sql = "select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14";
        let query = sqlx::query(sql).bind(1i32).bind(1i64 << 40).bind(1.5f64).bind(true).bind("ä€𝄞'\\").bind(&bytes).bind(when).bind(day);
        let query = query.bind(id).bind(&json).bind(vec![Some(1i32), None, Some(3)]).bind(&texts).bind(None::<String>).bind(&number);
        let row = query.fetch_one(&mut c).await?;
        equal((row.get::<i32, _>(0), row.get::<i64, _>(1), row.get::<f64, _>(2), row.get::<bool, _>(3)), (1, 1i64 << 40, 1.5, true))?;
        equal((row.get::<String, _>(4), row.get::<Vec<u8>, _>(5)), ("ä€𝄞'\\".to_string(), bytes.clone()))?;
        equal((row.get::<DateTime<Utc>, _>(6), row.get::<Option<NaiveDate>, _>(7), row.get::<Uuid, _>(8)), (when, day, id))?;
        equal(row.get::<serde_json::Value, _>(9), json.clone())?;
        equal((row.get::<Vec<Option<i32>>, _>(10), row.get::<Vec<String>, _>(11)), (vec![Some(1), None, Some(3)], texts.clone()))?;
        equal((row.get::<Option<String>, _>(12), row.get::<BigDecimal, _>(13)), (None, number.clone()))?;
    }
    Ok(())
}

async fn large() -> Outcome {
    let sql = "select length($1), repeat('y', 3000000)";
    let got: (i32, String) = sqlx::query_as(sql).bind("x".repeat(3000000)).fetch_one(&mut connect().await?).await?;
    equal((got.0, got.1 == "y".repeat(3000000)), (3000000, true))
}

async fn prepared() -> Outcome {
    let each = join_all((0..8).map(|i: i32| async move {
        let (mut c, mut pids) = (options().statement_cache_capacity(if i == 7 { 0 } else { 3 }).connect().await?, HashSet::new());
        for n in 1..9i32 {
            for k in 0..4 {
                // One more than are kept.
                let sql = format!("select name, {i}, {k}, pg_backend_pid() from feature_items where id = $1");
                let got: (String, i32, i32, i32) = sqlx::query_as(&sql).bind(n).persistent(k != 3 || i != 6).fetch_one(&mut c).await?;
                equal((got.0, got.1, got.2), (format!("item {n}"), i, k))?;
                pids.insert((i, got.3));
            }
        }
        c.clear_cached_statements().await?;
        equal(sqlx::query_scalar::<_, i32>("select $1").bind(5).fetch_one(&mut c).await?, 5)?;
        Ok::<_, Failure>(pids)
    }))
    .await;
    let mut pids = HashSet::new();
    for one in each {
        pids.extend(one?);
    }
    moved(&pids)
}

async fn cursor() -> Outcome {
    // Its streams: all rows of one execution, read as they come, and given up in the middle.
    let mut c = connect().await?;
    for limit in [3000, 10] {
        let mut rows = sqlx::query("select n from generate_series(1, $1) n").bind(3000).fetch(&mut c);
        let mut count = 0;
        while let Some(row) = rows.try_next().await? {
            count += 1;
            equal(row.get::<i32, _>(0), count)?;
            if count == limit {
                break;
            }
        }
    }
    equal(sqlx::query_scalar::<_, i32>("select 7").fetch_one(&mut c).await?, 7)
}

async fn batch() -> Outcome {
    let mut c = connect().await?;
    let ids: Vec<i32> = (1000..1300).collect();
    let sql = "insert into feature_items (id, name) select id, 'b' || id from unnest($1::int[]) id";
    equal(sqlx::query(sql).bind(&ids).execute(&mut c).await?.rows_affected(), 300)?;
    let results: Vec<_> = sqlx::raw_sql("delete from feature_items where id >= 1000; select 1; select 2").execute_many(&mut c).try_collect().await?;
    equal(results.iter().map(|r| r.rows_affected()).collect::<Vec<_>>(), vec![300, 1, 1])
}

async fn copyin() -> Outcome {
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options()).await?;
    let mut copy = pool.copy_in_raw("copy feature_items (id, name) from stdin").await?;
    copy.send((2000..7000).map(|i| format!("{i}\tcopied {i}\n")).collect::<String>().as_bytes()).await?;
    equal(copy.finish().await?, 5000)?;
    let got: (i64, String) = sqlx::query_as("select count(*), min(name) from feature_items where id >= 2000").fetch_one(&pool).await?;
    equal(got, (5000, "copied 2000".to_string()))?;
    pool.execute("delete from feature_items where id >= 2000").await?;
    let mut copy = pool.copy_in_raw("copy feature_items from stdin").await?;
    copy.send(&b"no number\tx\t1\n"[..]).await?;
    fails("22P02", copy.finish().await)?;
    let mut copy = pool.copy_in_raw("copy feature_items from stdin").await?;
    copy.send(&b"9000\tx\t1\n"[..]).await?;
    copy.abort("changed my mind").await?;
    equal(sqlx::query_scalar::<_, i64>("select count(*) from feature_items").fetch_one(&pool).await?, 100)
}

async fn copyout() -> Outcome {
    let mut c = connect().await?;
    let mut out = Vec::new();
    let mut parts = c.copy_out_raw("copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout with csv").await?;
    while let Some(part) = parts.try_next().await? {
        out.extend(part);
    }
    equal(String::from_utf8(out)? == (1..20001).map(|n| format!("{n},row {n}\n")).collect::<String>(), true)
}

async fn listen() -> Outcome {
    let pool = PgPoolOptions::new().max_connections(3).connect_with(options()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen_all(["feature_channel", "feature_second"]).await?;
    for i in 0..3 {
        sqlx::query("select pg_notify('feature_channel', $1)").bind(format!("payload {i} ü")).execute(&pool).await?;
    }
    for i in 0..3 {
        let n = tokio::time::timeout(Duration::from_secs(10), listener.recv()).await??;
        equal((n.channel(), n.payload()), ("feature_channel", &*format!("payload {i} ü")))?;
    }
    listener.unlisten("feature_channel").await?;
    sqlx::query("select pg_notify('feature_channel', 'late'), pg_notify('feature_second', 'second')").execute(&pool).await?;
    let n = tokio::time::timeout(Duration::from_secs(10), listener.recv()).await??;
    equal((n.channel(), n.payload()), ("feature_second", "second"))?;
    listener.unlisten_all().await?;
    Ok(())
}

async fn transactions() -> Outcome {
    let (mut c, mut other) = (connect().await?, connect().await?);
    let name = "select name from feature_items where id = $1";
    let mut t = c.begin_with("begin isolation level repeatable read").await?;
    equal(sqlx::query_scalar::<_, String>(name).bind(1).fetch_one(&mut *t).await?, "item 1")?;
    other.execute("update feature_items set name = 'changed' where id = 1").await?;
    let mut inner = t.begin().await?;
    fails("40001", sqlx::query("update feature_items set name = 'mine' where id = $1").bind(1).execute(&mut *inner).await)?;
    drop(inner); // rolled back in front of what comes next
    equal(sqlx::query_scalar::<_, String>(name).bind(1).fetch_one(&mut *t).await?, "item 1")?;
    t.commit().await?;
    other.execute("update feature_items set name = 'item 1' where id = 1").await?;
    let mut t = c.begin().await?;
    t.execute("delete from feature_items").await?;
    drop(t);
    equal(sqlx::query_scalar::<_, i64>("select count(*) from feature_items").fetch_one(&mut c).await?, 100)
}

async fn errors() -> Outcome {
    let mut c = connect().await?;
    for _ in 0..3 {
        let e = sqlx::query("insert into feature_items values ($1, 'x', 0)").bind(1).execute(&mut c).await.err().ok_or("no error")?;
        let e = e.into_database_error().ok_or("not the server's")?;
        equal((e.code().as_deref(), e.constraint(), e.table()), (Some("23505"), Some("feature_items_pkey"), Some("feature_items")))?;
        fails("42703", sqlx::query("select nothing_like_it, $1::int").bind(1).execute(&mut c).await)?;
        fails("22012", sqlx::query("select 1 / $1::int").bind(0).execute(&mut c).await)?;
        equal(sqlx::query_scalar::<_, i32>("select $1").bind(8).fetch_one(&mut c).await?, 8)?;
    }
    Ok(())
}

async fn pool() -> Outcome {
    let lifetime = Duration::from_millis(300);
    let pool = PgPoolOptions::new().max_connections(6).max_lifetime(lifetime).test_before_acquire(true).connect_with(options()).await?;
    let got = join_all((0..200).map(|i: i32| sqlx::query_scalar::<_, i32>("select $1").bind(i).fetch_one(&pool))).await;
    for (i, one) in got.into_iter().enumerate() {
        equal(one?, i as i32)?;
    }
    pool.close().await;
    Ok(())
}
