//! tokio-postgres: everything that is asked at the same time goes out as a pipeline; portals, binary COPY, notifications as a stream.
use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::{join_all, try_join_all};
use futures_util::stream::poll_fn;
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use openssl::ssl::{SslConnector, SslMethod};
use postgres_openssl::MakeTlsConnector;
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver};
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, IsolationLevel, NoTls};
use uuid::Uuid;

use crate::{env, equal, fails, features, moved, Failure, Outcome};

fn config() -> Config {
    let mut c = Config::new();
    c.host("127.0.0.1").port(env("PGPORT").parse().unwrap()).user(env("PGUSER")).password(env("PGPASSWORD")).dbname(env("PGDATABASE"));
    c.connect_timeout(Duration::from_secs(10));
    c
}

/// The client, and what comes by itself.
async fn hearing(config: &Config) -> Result<(Client, UnboundedReceiver<AsyncMessage>), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(NoTls).await?;
    let (send, receive) = unbounded_channel();
    tokio::spawn(async move {
        let mut messages = poll_fn(move |cx| connection.poll_message(cx));
        while let Some(Ok(m)) = messages.next().await {
            let _ = send.send(m);
        }
    });
    Ok((client, receive))
}

async fn with(config: &Config) -> Result<Client, tokio_postgres::Error> {
    Ok(hearing(config).await?.0)
}

async fn connect() -> Result<Client, Failure> {
    Ok(with(&config()).await?)
}

features!(login, tls, hosts, settings, types, binary, large, prepared, cursor, batch, copyin, copyout, listen, cancel, transactions, errors);

async fn login() -> Outcome {
    let c = with(config().application_name("features of tokio-postgres")).await?;
    let row = c.query_one("select current_user::text, current_setting('application_name')", &[]).await?;
    equal((row.get::<_, String>(0), row.get::<_, String>(1)), (env("PGUSER"), "features of tokio-postgres".to_string()))?;
    fails("28P01", with(config().password("wrong")).await)?;
    fails("3D000", with(config().dbname("nowhere_at_all")).await)
}

async fn by_tls(host: &str, ca: String) -> Result<i32, Failure> {
    let mut builder = SslConnector::builder(SslMethod::tls())?;
    builder.set_ca_file(ca)?;
    let mut c = Config::new();
    c.host(host).port(env("PGPORT").parse()?).user(env("PGUSER")).password(env("PGPASSWORD")).dbname(env("PGDATABASE"));
    c.ssl_mode(tokio_postgres::config::SslMode::Require);
    let (client, connection) = c.connect(MakeTlsConnector::new(builder.build())).await?;
    tokio::spawn(connection);
    Ok(client.query_one("select 1", &[]).await?.get(0))
}

async fn tls() -> Outcome {
    equal(by_tls("localhost", env("FEATURES_CA")).await?, 1)?;
    fails("certificate verify failed", by_tls("localhost", env("FEATURES_OTHER_CA")).await)?;
    fails("certificate verify failed", by_tls("127.0.0.1", env("FEATURES_CA")).await)
}

async fn hosts() -> Outcome {
    for wanted in [TargetSessionAttrs::Any, TargetSessionAttrs::ReadWrite] {
        let mut c = Config::new();
        c.host("127.0.0.1").port(env("FEATURES_DEAD_PORT").parse()?).host("127.0.0.1").port(env("PGPORT").parse()?);
        c.user(env("PGUSER")).password(env("PGPASSWORD")).dbname(env("PGDATABASE")).target_session_attrs(wanted);
        equal(with(&c).await?.query_one("select 5", &[]).await?.get::<_, i32>(0), 5)?;
    }
    let read_only = config().target_session_attrs(TargetSessionAttrs::ReadOnly).clone();
    fails("database is not read only", with(&read_only).await)
}

async fn settings() -> Outcome {
    let mut some = Vec::new();
    for i in 0..5 {
        let c = with(config().options(format!("-c search_path=s{i} -c app.mine={i}"))).await?;
        c.batch_execute(&format!("set timezone to 'Etc/GMT+{i}'")).await?;
        some.push(c);
    }
    let mut pids = HashSet::new();
    for n in 0..5 {
        some[n].batch_execute("begin; select 1").await?; // somebody else has to do without this one's server connection
        for (i, c) in some.iter().enumerate() {
            let sql = "select current_setting('search_path'), current_setting('app.mine'), current_setting('timezone'), pg_backend_pid()";
            let row = c.query_one(sql, &[]).await?;
            let got: Vec<String> = (0..3).map(|k| row.get(k)).collect();
            equal(got, vec![format!("s{i}"), i.to_string(), format!("Etc/GMT+{i}")])?;
            pids.insert((i as i32, row.get(3)));
        }
        some[n].batch_execute("commit").await?;
    }
    moved(&pids)
}

async fn types() -> Outcome {
    let c = connect().await?;
    for _ in 0..3 {
        // The simple protocol: texts.
        let got = c.simple_query("select 1, 'ä€', null, '{1,2}'::int[]; select 2").await?;
        let rows: Vec<Option<&str>> = got
            .iter()
            .filter_map(|m| if let tokio_postgres::SimpleQueryMessage::Row(r) = m { Some(r) } else { None })
            .flat_map(|r| (0..r.len()).map(move |i| r.get(i)))
            .collect();
        equal(rows, vec![Some("1"), Some("ä€"), None, Some("{1,2}"), Some("2")])?;
    }
    Ok(())
}

async fn binary() -> Outcome {
    let c = connect().await?;
    c.batch_execute("create type pg_temp.mood as enum ('sad', 'happy')").await?;
    let when: DateTime<Utc> = "2024-02-29T12:30:15.123456Z".parse()?;
    let (day, id, json) = (NaiveDate::from_ymd_opt(2024, 2, 29), Uuid::from_u128(77), serde_json::json!({"a": [1, "ü"]}));
    let (bytes, texts) = (vec![0u8, 255, 39], vec!["a,b".to_string(), "\"".to_string()]);
    for _ in 0..3 {
        let row = c
            .query_one(
                "select $1::int, $2::bigint, $3::float8, $4::bool, $5::text, $6::bytea, $7::timestamptz, $8::date, $9::uuid, $10::jsonb, $11::int[],
                    $12::text[], $13::text, 'happy'::pg_temp.mood",
                &[&1i32, &(1i64 << 40), &1.5f64, &true, &"ä€𝄞'\\", &bytes, &when, &day, &id, &json, &vec![Some(1), None, Some(3)], &texts, &None::<String>],
            )
            .await?;
        equal((row.get::<_, i32>(0), row.get::<_, i64>(1), row.get::<_, f64>(2), row.get::<_, bool>(3)), (1, 1i64 << 40, 1.5, true))?;
        equal((row.get::<_, String>(4), row.get::<_, Vec<u8>>(5)), ("ä€𝄞'\\".to_string(), bytes.clone()))?;
        equal((row.get::<_, DateTime<Utc>>(6), row.get::<_, Option<NaiveDate>>(7), row.get::<_, Uuid>(8)), (when, day, id))?;
        equal(row.get::<_, serde_json::Value>(9), json.clone())?;
        equal((row.get::<_, Vec<Option<i32>>>(10), row.get::<_, Vec<String>>(11)), (vec![Some(1), None, Some(3)], texts.clone()))?;
        equal((row.get::<_, Option<String>>(12), row.columns()[13].type_().name()), (None, "mood"))?; // looked up in the catalog
    }
    Ok(())
}

async fn large() -> Outcome {
    let row = connect().await?.query_one("select length($1), repeat('y', 3000000)", &[&"x".repeat(3000000)]).await?;
    equal((row.get::<_, i32>(0), row.get::<_, &str>(1) == "y".repeat(3000000)), (3000000, true))
}

async fn prepared() -> Outcome {
    let each = join_all((0..8).map(|i: i32| async move {
        let (c, mut pids) = (connect().await?, HashSet::new());
        let kept = c.prepare_typed(&format!("select name, {i}, pg_backend_pid() from feature_items where id = $1"), &[Type::INT4]).await?;
        equal((kept.params(), kept.columns().len()), (&[Type::INT4][..], 3))?;
        for n in 1..9i32 {
            let row = c.query_one(&kept, &[&n]).await?;
            equal((row.get::<_, String>(0), row.get::<_, i32>(1)), (format!("item {n}"), i))?;
            pids.insert((i, row.get(2)));
            let again = c.query_one("select $1::int + 1", &[&n]).await?; // prepared, used, closed
            equal(again.get::<_, i32>(0), n + 1)?;
            let unnamed = c.query_typed("select $1 * 2", &[(&n, Type::INT4)]).await?;
            equal(unnamed[0].get::<_, i32>(0), n * 2)?;
        }
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
    let (mut one, mut two) = (connect().await?, connect().await?);
    let (a, b) = (one.transaction().await?, two.transaction().await?);
    let portals = [
        a.bind("select $1::int + n from generate_series(1, 1000) n", &[&0i32]).await?,
        b.bind("select $1::int + n from generate_series(1, 1000) n", &[&10000i32]).await?,
    ];
    let mut got = [Vec::new(), Vec::new()];
    while got[1].len() < 1000 {
        for (i, t) in [&a, &b].iter().enumerate() {
            got[i].extend(t.query_portal(&portals[i], 70).await?.iter().map(|r| r.get::<_, i32>(0)));
            equal(t.query_one("select 7", &[]).await?.get::<_, i32>(0), 7)?;
        }
    }
    equal(&got[0], &(1..1001).collect::<Vec<i32>>())?;
    equal(&got[1], &(10001..11001).collect::<Vec<i32>>())?;
    a.commit().await?;
    b.commit().await?;
    let mut rows = pin!(one.query_raw("select n from generate_series(1, $1::int) n", &[3000i32]).await?);
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        count += 1;
        equal(row.get::<_, i32>(0), count)?;
    }
    equal(count, 3000)
}

async fn batch() -> Outcome {
    let c = connect().await?;
    for _ in 0..3 {
        let got = join_all((0..200).map(|i: i32| {
            let c = &c;
            async move { c.query_one("select 100 / ($1::int - 77), $1", &[&i]).await.map(|r| r.get::<_, i32>(1)) }
        }))
        .await;
        for (i, one) in got.into_iter().enumerate() {
            if i == 77 {
                fails("22012", one)?;
            } else {
                equal(one?, i as i32)?;
            }
        }
        try_join_all((1000..1050).map(|i: i32| {
            let c = &c;
            async move { c.execute("insert into feature_items (id, name) values ($1, $2)", &[&i, &"batch"]).await }
        }))
        .await?;
        equal(c.execute("delete from feature_items where id >= 1000", &[]).await?, 50)?;
    }
    Ok(())
}

async fn copyin() -> Outcome {
    let c = connect().await?;
    let sink = c.copy_in("copy feature_items (id, name) from stdin (format binary)").await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &[Type::INT4, Type::TEXT]));
    for i in 2000..7000i32 {
        let name = format!("copied {i}");
        let row: [&(dyn ToSql + Sync); 2] = [&i, &name];
        writer.as_mut().write(&row).await?;
    }
    equal(writer.finish().await?, 5000)?;
    let row = c.query_one("select count(*), min(name) from feature_items where id >= 2000", &[]).await?;
    equal((row.get::<_, i64>(0), row.get::<_, String>(1)), (5000, "copied 2000".to_string()))?;
    c.execute("delete from feature_items where id >= 2000", &[]).await?;
    let mut sink = Box::pin(c.copy_in("copy feature_items from stdin").await?);
    sink.send(Bytes::from("no number\tx\t1\n")).await?;
    fails("22P02", sink.as_mut().finish().await)?;
    let mut dropped = Box::pin(c.copy_in("copy feature_items from stdin").await?);
    dropped.send(Bytes::from("9000\tx\t1\n")).await?;
    drop(dropped);
    equal(c.query_one("select count(*) from feature_items", &[]).await?.get::<_, i64>(0), 100)
}

async fn copyout() -> Outcome {
    let c = connect().await?;
    let stream = c.copy_out("copy (select n, 'row ' || n from generate_series(1, 20000) n) to stdout (format binary)").await?;
    let mut rows = pin!(BinaryCopyOutStream::new(stream, &[Type::INT4, Type::TEXT]));
    let mut n = 0;
    while let Some(row) = rows.try_next().await? {
        n += 1;
        equal((row.get::<i32>(0), row.get::<&str>(1)), (n, &*format!("row {n}")))?;
    }
    equal(n, 20000)
}

async fn listen() -> Outcome {
    let (c, mut heard) = hearing(&config()).await?;
    let other = connect().await?;
    c.batch_execute("listen feature_channel").await?;
    for i in 0..3 {
        other.execute("select pg_notify('feature_channel', $1)", &[&format!("payload {i} ü")]).await?;
    }
    for i in 0..3 {
        match tokio::time::timeout(Duration::from_secs(10), heard.recv()).await? {
            Some(AsyncMessage::Notification(n)) => equal((n.channel(), n.payload()), ("feature_channel", &*format!("payload {i} ü")))?,
            more => return Err(format!("heard {more:?}").into()),
        }
    }
    c.batch_execute("unlisten *").await?;
    other.batch_execute("notify feature_channel, 'late'").await?;
    equal(c.query_one("select 2 from pg_sleep(0.2)", &[]).await?.get::<_, i32>(0), 2)?;
    equal(heard.try_recv().is_err(), true)
}

async fn cancel() -> Outcome {
    let (c, other) = (connect().await?, connect().await?);
    for n in 0..2i32 {
        let token = c.cancel_token();
        let later = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            token.cancel_query(NoTls).await
        });
        fails("57014", tokio::time::timeout(Duration::from_secs(10), c.query("select pg_sleep(20)", &[])).await?)?;
        later.await??;
        equal(c.query_one("select 3", &[]).await?.get::<_, i32>(0), 3)?;
        equal(other.query_one("select $1::int", &[&n]).await?.get::<_, i32>(0), n)?;
    }
    Ok(())
}

async fn transactions() -> Outcome {
    let (mut c, other) = (connect().await?, connect().await?);
    let mut t = c.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start().await?;
    let name = "select name from feature_items where id = $1";
    equal(t.query_one(name, &[&1i32]).await?.get::<_, String>(0), "item 1")?;
    other.execute("update feature_items set name = 'changed' where id = $1", &[&1i32]).await?;
    let inner = t.savepoint("s").await?;
    fails("40001", inner.execute("update feature_items set name = 'mine' where id = $1", &[&1i32]).await)?;
    inner.rollback().await?;
    equal(t.query_one(name, &[&1i32]).await?.get::<_, String>(0), "item 1")?;
    t.commit().await?;
    other.execute("update feature_items set name = 'item 1' where id = $1", &[&1i32]).await?;
    let t = c.build_transaction().isolation_level(IsolationLevel::Serializable).read_only(true).deferrable(true).start().await?;
    fails("25006", t.execute("delete from feature_items", &[]).await)?;
    drop(t); // rolls back by itself
    equal(c.query_one(name, &[&1i32]).await?.get::<_, String>(0), "item 1")
}

async fn errors() -> Outcome {
    let (c, mut heard) = hearing(&config()).await?;
    for _ in 0..3 {
        let e = c.execute("insert into feature_items values ($1, 'x', 0)", &[&1i32]).await.err().ok_or("no error")?;
        let e = e.as_db_error().ok_or("not the server's")?;
        equal((e.code().code(), e.constraint(), e.table()), ("23505", Some("feature_items_pkey"), Some("feature_items")))?;
        fails("42703", c.query("select nothing_like_it, $1::int", &[&1i32]).await)?;
        fails("22012", c.query("select 1 / $1::int", &[&0i32]).await)?;
        equal(c.query_one("select $1::int", &[&8i32]).await?.get::<_, i32>(0), 8)?;
    }
    c.batch_execute("do $$ begin raise notice 'heard'; end $$").await?;
    match heard.recv().await {
        Some(AsyncMessage::Notice(n)) => equal(n.message(), "heard"),
        more => Err(format!("heard {more:?}").into()),
    }
}
