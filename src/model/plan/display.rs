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
            Step::Embed(Embed { word, position, token_type, .. }) => {
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
            Step::Project(Projection { linear, activation }) => {
                write!(f, "project       {} -> {}", linear.in_features, linear.out_features())?;
                activation.map_or(Ok(()), |activation| write!(f, " {activation:?}"))
            }
            Step::Unfold(Unfold { kernel_size, .. }) => write!(f, "unfold        {kernel_size} rows"),
            Step::Convolve(Convolution { activation, .. }) => {
                write!(f, "convolve      {activation:?}, norm after")
            }
            Step::Attention(attention) => {
                let heads = attention.heads;
                let head_dim = attention.query.out_features() / heads;
                write!(f, "attention     {heads} heads of {head_dim}")?;
                match attention.key.out_features() / head_dim {
                    key_heads if key_heads == heads => {}
                    key_heads => write!(f, ", {key_heads} of keys")?,
                }
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
            Step::Pool(Pool { poolings, skipped }) => {
                let names: Vec<&str> = poolings.iter().map(|pooling| pooling.description()).collect();
                write!(f, "pool          {}", names.join(", "))?;
                if *skipped > 0 { write!(f, ", without the first {skipped}") } else { Ok(()) }
            }
        }
    }
}

impl Pooling {
    fn description(self) -> &'static str {
        match self {
            Pooling::First => "first row",
            Pooling::Mean => "mean of rows",
            Pooling::MeanSqrtLen => "sum of rows / sqrt(number of rows)",
            Pooling::WeightedMean => "mean of rows weighted by position",
            Pooling::Max => "maximum of rows",
            Pooling::Last => "last row",
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
