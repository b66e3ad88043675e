//! Layer norms, with and without the mean.

use candle_core::{Device, Tensor};

/// A layer norm, with plain weights because it is computed row by row.
#[derive(Debug, Clone)]
pub(crate) struct LayerNorm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) eps: f64,
    /// Whether the mean counts as zero.
    pub(super) rms: bool,
}

type BlockNorm = crate::engine::lower::BlockNorm<LayerNorm>;

impl BlockNorm {
    /// Returns the input of the block's function.
    pub(super) fn pre(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            BlockNorm::Before(norm) => norm.forward(x),
            BlockNorm::After(_) | BlockNorm::Absent => Ok(x.clone()),
        }
    }

    /// Returns the output of the block, given the sum of its input and its function.
    pub(super) fn post(&self, sum: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            BlockNorm::After(norm) => norm.forward(sum),
            BlockNorm::Before(_) | BlockNorm::Absent => Ok(sum.clone()),
        }
    }
}

impl LayerNorm {
    /// Normalizes each row. Sums are in f64, because later layers amplify rounding errors of mean and variance.
    pub(super) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let mut rows: Vec<f32> = x.flatten_all()?.to_vec1()?;
        rows.chunks_exact_mut(self.weight.len()).for_each(|row| self.normalize(row));
        Tensor::from_vec(rows, x.shape(), &Device::Cpu)
    }

    fn normalize(&self, row: &mut [f32]) {
        let size = row.len() as f64;
        let mean = if self.rms { 0.0 } else { row.iter().map(|&x| f64::from(x)).sum::<f64>() / size };
        let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / size;
        let scale = (variance + self.eps).sqrt().recip();
        for ((x, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
            *x = ((f64::from(*x) - mean) * scale) as f32 * weight + bias;
        }
    }
}
