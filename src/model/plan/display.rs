//! Prints a Plan, one line per step.

use std::fmt;

use super::*;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            writeln!(f, "{index:>3}  {step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Embed(Embed { word, position, token_type }) => {
                write!(f, "embed         {} words", word.rows)?;
                if let Some(PositionTable { table, .. }) = position {
                    write!(f, ", {} positions", table.rows)?;
                }
                if let Some(table) = token_type {
                    write!(f, ", {} token types", table.rows)?;
                }
                write!(f, " -> {}", word.width)
            }
            Step::Norm(_) => write!(f, "norm"),
            Step::Project(linear) => {
                write!(f, "project       {} -> {}", linear.in_features, linear.out_features())
            }
            Step::Attention(attention) => {
                let heads = attention.heads;
                write!(f, "attention     {heads} heads of {}", attention.query.out_features() / heads)?;
                write!(f, "{}", attention.positions)?;
                if let Some(window) = attention.window {
                    write!(f, ", window {window} each side")?;
                }
                write!(f, ", rows: {:?}, norm {}", attention.rows, attention.norm)
            }
            Step::FeedForward(block) => {
                let gated = if block.gate.is_some() { " gated" } else { "" };
                let width = block.intermediate.out_features();
                write!(f, "feed-forward  {width} {:?}{gated}, norm {}", block.activation, block.norm)
            }
            Step::Pool(Pooling::First) => write!(f, "pool          first row"),
            Step::Pool(Pooling::Mean) => write!(f, "pool          mean of rows"),
            Step::Pool(Pooling::MeanSqrtLen) => write!(f, "pool          sum of rows / sqrt(number of rows)"),
            Step::Pool(Pooling::WeightedMean) => write!(f, "pool          mean of rows weighted by position"),
            Step::Pool(Pooling::Max) => write!(f, "pool          maximum of rows"),
            Step::Pool(Pooling::Last) => write!(f, "pool          last row"),
        }
    }
}

impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Positions::Absent => Ok(()),
            Positions::Rotary(rotary) => write!(f, ", rotary {}", rotary.theta),
            Positions::Alibi => write!(f, ", ALiBi"),
            Positions::Bucketed(table) => write!(f, ", biases of {} distances", table.rows),
            Positions::Disentangled(positions) => {
                write!(f, ", disentangled from {} positions", positions.table.rows)
            }
        }
    }
}

impl fmt::Display for BlockNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BlockNorm::Before(_) => "before",
            BlockNorm::After(_) => "after",
            BlockNorm::Absent => "absent",
        })
    }
}
