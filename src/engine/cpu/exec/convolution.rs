//! The convolution after the first layer.

use super::ForwardPass;
use super::arena::{self, Arena};
use super::linear::Input;
use crate::engine::cpu::CpuEngine;
use crate::engine::cpu::kernels::{Epilogue, Output};
use crate::model::Unfold;

type Convolution = crate::engine::lower::Convolution<CpuEngine>;

impl ForwardPass<'_> {
    /// Saves each row with its neighbors, as the tiles of a linear layer read them.
    pub(crate) fn unfold(&mut self, Unfold { kernel_size, width }: Unfold) {
        self.check_magnitude();
        let Arena { x, unfolded, .. } = &mut self.arena;
        let rows = arena::rows(unfolded, self.rows, kernel_size * width);
        rows.fill(0.0);
        for pair in self.batch.ranges() {
            for row in pair.clone() {
                let to = &mut rows[row * kernel_size * width..][..kernel_size * width];
                for tap in 0..kernel_size {
                    let Some(from) = (row + tap).checked_sub(kernel_size / 2) else { continue };
                    if pair.contains(&from) {
                        let values = &x[from * width..][..width];
                        let to = to[tap..].iter_mut().step_by(kernel_size);
                        to.zip(values).for_each(|(to, value)| *to = *value);
                    }
                }
            }
        }
    }

    /// Adds the convolution of the saved rows to the residual stream.
    pub(crate) fn convolve(&mut self, convolution: &Convolution) {
        let Convolution { linear, activation, norm } = convolution;
        let Arena { x, unfolded, wide, cls_rows, quantized, .. } = &mut self.arena;
        let added = arena::rows(wide, self.rows, self.width);
        let input = Input { values: unfolded, rows: 0..self.rows, cls_rows };
        let output = Output { values: added, epilogue: Epilogue::Store };
        linear.apply(self.engine.kernels, &input, quantized, output);
        let added = &mut wide[..self.rows * self.width];
        self.engine.kernels.activate(added, *activation);
        x.iter_mut().zip(&*added).for_each(|(x, added)| *x += added);
        self.norm(norm);
    }
}
