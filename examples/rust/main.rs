//! Ranks the lines of a file: `cargo run --release --example rerank -- "a question" documents.txt`

use std::error::Error;

use ranklet::{ModelSource, Options, RankOptions, Reranker};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(query), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: rerank \"a question\" documents.txt".into());
    };
    let text = std::fs::read_to_string(path)?;
    let documents: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    for (score, document) in best(&query, &documents)? {
        println!("{score:.3} {document}");
    }
    Ok(())
}

/// Returns the three best documents with their scores, best first.
pub fn best<'a>(query: &str, documents: &[&'a str]) -> ranklet::Result<Vec<(f32, &'a str)>> {
    let reranker = Reranker::load_blocking(ModelSource::Embedded, Options::default())?;
    let options = RankOptions { top_n: Some(3), ..RankOptions::default() };
    let ranked = reranker.rank_blocking(query, documents, options)?;
    Ok(ranked.into_iter().map(|one| (one.score, documents[one.index])).collect())
}
