//! Features by their names, and what is said about each. The first argument is the driver: tokio or sqlx.
mod pg;
mod sqlx_pg;

use std::collections::HashSet;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
pub type Outcome = Result<(), Failure>;
pub type Feature = (&'static str, fn() -> Pin<Box<dyn Future<Output = Outcome>>>);

pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

pub fn equal<T: Debug + PartialEq<U>, U: Debug>(got: T, expected: U) -> Outcome {
    if got == expected {
        return Ok(());
    }
    let (got, expected) = (format!("{got:?}"), format!("{expected:?}"));
    Err(format!("got {}, not {}", got.chars().take(200).collect::<String>(), expected.chars().take(200).collect::<String>()).into())
}

/// It is an error with this SQLSTATE, or this text, in it.
pub fn fails<T, E: Debug>(what: &str, result: Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Err(format!("no error {what}").into()),
        Err(e) if format!("{e:?}").contains(what) => Ok(()),
        Err(e) => Err(format!("error {e:?}, not {what}").into()),
    }
}

/// (client, server process) of what was asked.
pub fn moved(pids: &HashSet<(i32, i32)>) -> Outcome {
    let clients: HashSet<i32> = pids.iter().map(|p| p.0).collect();
    if (env("FEATURES_ROUTE") != "direct") != (pids.len() > clients.len()) {
        return Err(format!("statements were done by {} server processes", pids.len()).into());
    }
    Ok(())
}

#[macro_export]
macro_rules! features {
    ($($name:ident),*) => { pub const FEATURES: &[$crate::Feature] = &[$((stringify!($name), || Box::pin($name()))),*]; };
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (features, version) = if args[0] == "sqlx" { (sqlx_pg::FEATURES, "sqlx 0.8.6") } else { (pg::FEATURES, "tokio-postgres 0.7.18") };
    println!("version {version}");
    for (name, work) in features {
        if args.len() > 1 && !args[1..].iter().any(|a| a == name) {
            continue;
        }
        println!("begin {name}");
        let said = match tokio::time::timeout(Duration::from_secs(30), work()).await {
            Ok(Ok(())) => "ok".to_string(),
            Ok(Err(e)) => format!("failed {e:?}").replace('\n', " "),
            Err(_) => "failed hangs".to_string(),
        };
        println!("{name} {said}");
    }
    println!("end");
}
