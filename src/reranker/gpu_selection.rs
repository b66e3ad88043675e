//! The choice between the GPU and the CPU: whether the GPU gives the same scores, and which of them is faster.

use super::session::{Fallback, Session};
use crate::checkpoint::Golden;
use crate::engine::Engine;
use crate::engine::clock::now_ms;
use crate::engine::gpu::GpuEngine;
use crate::error::{Error, Result, integrity, internal};
use crate::info::{Verification, VerifiedPair};
use crate::options::{Device, Options};

/// The pairs to verify a GPU with if the weights file has no golden pairs.
const VERIFICATION_PAIRS: [(&str, &str); 2] = [
    (
        "how do plants make food",
        "Leaves catch light and turn water and air into sugar, which feeds the whole plant.",
    ),
    (
        "when was the bridge built",
        "The recipe asks for two eggs, a cup of flour and a pinch of salt, stirred well.",
    ),
];

/// The document to measure speed with, of about a hundred tokens.
const TIMING_PASSAGE: &str = "The river rises in the hills to the north and runs for ninety miles before it meets the sea. For \
    centuries boats carried wool, grain and timber along it, and the towns on its banks grew rich. When the railway came, \
    the boats went, and the quays were left to anglers and ducks. Today the old towpath is a walk that thousands of people \
    take every summer, from the spring under the beech trees to the lighthouse at the mouth, and the inns beside it are \
    full again for the first time in a hundred years.";
/// Pairs per CPU timing. The GPU is first timed with one pair, to skip slow devices.
const CPU_TIMING_PAIRS: usize = 4;
/// Pairs of the second GPU timing: a GPU reaches its speed only with enough work.
const GPU_TIMING_PAIRS: usize = 32;

impl Session {
    /// Replaces the CPU engine by the GPU engine if that gives the same scores and, for the device `auto`, is faster.
    ///
    /// # Errors
    /// For the device `gpu`: the reason why there is no GPU, or `integrity` if it does not give the same scores.
    pub(super) async fn choose_engine(
        &mut self,
        gpu: Result<Box<GpuEngine>>,
        options: &Options,
        golden: Option<&Golden>,
    ) -> Result<()> {
        match self.verified_gpu(gpu, golden).await {
            Err(error) if options.device == Device::Auto => {
                self.info.backend.reason = error.context().to_owned()
            }
            Err(error) => return Err(advising_cpu(error)),
            Ok(gpu) if options.device == Device::Auto => match self.compare_speed(&gpu, options).await {
                Ok((true, reason)) => {
                    let cpu = self.replace_engine(gpu, reason);
                    self.fallback = Some(Fallback { engine: cpu, info: Default::default() });
                }
                Ok((false, reason)) => self.info.backend.reason = reason,
                Err(error) => self.info.backend.reason = format!("the GPU failed: {}", error.context()),
            },
            Ok(gpu) => {
                if let Engine::Gpu(gpu) = &gpu
                    && gpu.is_software()
                {
                    let adapter = gpu.adapter();
                    self.info.warnings.push(format!(
                        "the GPU {adapter} is a program on the CPU, which is slow; use the device \"cpu\""
                    ));
                }
                self.replace_engine(gpu, "requested".to_owned());
            }
        }
        Ok(())
    }

    /// Returns the GPU engine if its logits are within the tolerance.
    async fn verified_gpu(&mut self, gpu: Result<Box<GpuEngine>>, golden: Option<&Golden>) -> Result<Engine> {
        let mut gpu = gpu?;
        let adapter = gpu.adapter();
        let verification = loop {
            let engine = Engine::Gpu(gpu);
            let verification = self.verify_gpu(&engine, adapter.clone(), golden).await;
            let Engine::Gpu(verified) = engine else { return Err(internal("the engine changed")) };
            gpu = verified;
            match verification {
                Ok(verification) if verification.passed() => break verification,
                // Without the optional features, scores may be right.
                verification => {
                    if !gpu.drop_features().await? {
                        break verification?;
                    }
                }
            }
        };
        let gpu = Engine::Gpu(gpu);
        let (passed, message) = (verification.passed(), disagreement_message(&verification));
        self.info.backend.verification = Some(verification);
        if passed { Ok(gpu) } else { Err(integrity(message)) }
    }

    /// Scores the golden pairs of the weights file on the GPU, or [`VERIFICATION_PAIRS`] on the GPU and the CPU.
    async fn verify_gpu(
        &self,
        gpu: &Engine,
        adapter: String,
        golden: Option<&Golden>,
    ) -> Result<Verification> {
        let mut pairs = Vec::new();
        for pair in golden.iter().flat_map(|golden| &golden.pairs) {
            let (query, document) = (pair.query.clone(), pair.document.clone());
            pairs.push(VerifiedPair { query, document, expected: pair.logits.clone(), logits: Vec::new() });
        }
        let mut reference = "the model file";
        let mut tolerance = gpu.tolerance().max(f32::EPSILON);
        if pairs.is_empty() {
            reference = "the CPU engine";
            tolerance = tolerance.max(self.engine.tolerance());
            for (query, document) in VERIFICATION_PAIRS {
                let expected = self.logits(&self.engine, &self.batch_of(&[(query, document)])?).await?;
                let (query, document) = (query.to_owned(), document.to_owned());
                pairs.push(VerifiedPair { query, document, expected, logits: Vec::new() });
            }
        }
        for pair in &mut pairs {
            pair.logits = self.logits(gpu, &self.batch_of(&[(&pair.query, &pair.document)])?).await?;
        }
        Ok(Verification { adapter, reference, tolerance, pairs })
    }

    /// Times both engines with this model; returns whether the GPU is faster, and the figures as a text.
    async fn compare_speed(&self, gpu: &Engine, options: &Options) -> Result<(bool, String)> {
        // The first run warms the CPU up. The verification has warmed the GPU up.
        self.time_ms(&self.engine, CPU_TIMING_PAIRS).await?;
        let cpu_ms = self.time_ms(&self.engine, CPU_TIMING_PAIRS).await?
            / f64::from(options.cpu_workers.unwrap_or(1).max(1));
        let mut gpu_ms = self.time_ms(gpu, 1).await?;
        let is_far_slower = gpu_ms > 2.0 * cpu_ms;
        gpu_ms *= CPU_TIMING_PAIRS as f64;
        if !is_far_slower {
            gpu_ms = self.time_ms(gpu, GPU_TIMING_PAIRS).await? * CPU_TIMING_PAIRS as f64
                / GPU_TIMING_PAIRS as f64;
        }
        let rate = |ms: f64| CPU_TIMING_PAIRS as f64 * 1000.0 / ms.max(1e-3);
        let report =
            format!("{:.0} documents per second on the GPU, {:.0} on the CPU", rate(gpu_ms), rate(cpu_ms));
        Ok((gpu_ms < cpu_ms, report))
    }

    /// Returns the milliseconds that an engine takes for a batch of `pairs` pairs of about a hundred tokens.
    async fn time_ms(&self, engine: &Engine, pairs: usize) -> Result<f64> {
        let batch = self.batch_of(&vec![(VERIFICATION_PAIRS[0].0, TIMING_PASSAGE); pairs])?;
        let started = now_ms();
        engine.run(&batch).await?;
        Ok(now_ms() - started)
    }

    /// Makes the GPU engine the one that computes, and returns the previous one.
    fn replace_engine(&mut self, gpu: Engine, reason: String) -> Engine {
        let backend = &mut self.info.backend;
        (backend.device, backend.engine, backend.reason) = (gpu.device(), gpu.name(), reason);
        backend.kernels = gpu.kernels();
        backend.adapter = backend.verification.as_ref().map(|verification| verification.adapter.clone());
        std::mem::replace(&mut self.engine, gpu)
    }
}

/// Adds what to do to an error about a GPU that was requested. With the device `auto`, the CPU is in use already.
fn advising_cpu(error: Error) -> Error {
    Error::new(error.kind(), format!("{}; use the device \"cpu\"", error.context())).with_source(error)
}

/// The message about a GPU whose logits are outside the tolerance.
fn disagreement_message(verification: &Verification) -> String {
    let Verification { adapter, reference, tolerance, pairs } = verification;
    let worst = pairs.iter().max_by(|a, b| a.difference().total_cmp(&b.difference()));
    let numbers = worst.map_or_else(String::new, |pair| {
        format!(": {:?} instead of {:?} for the query {:?}", pair.logits, pair.expected, pair.query)
    });
    format!(
        "the GPU {adapter} does not give the scores of {reference}{numbers}; the difference is {:e}, the tolerance {tolerance:e}",
        verification.difference()
    )
}
