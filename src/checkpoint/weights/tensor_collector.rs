//! The tensors of a checkpoint that have come so far, from one file or several.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::index::Index;
use super::quant_grid::QuantGrid;
use super::streaming_quantizer::StreamingQuantizer;
use super::tensor::{Encoding, Tensor};
use crate::error::{Result, weights};

/// Keeps each tensor as it will be used, and each name to the file it belongs in.
#[derive(Debug, Default)]
pub(super) struct TensorCollector {
    /// What says which file has which tensor, where there are several files.
    pub(super) index: Option<Index>,
    /// Tensors of plain files that are rounded as they come.
    grids: HashMap<String, QuantGrid>,
    /// The file that is being read.
    file: String,
    /// Every name of every file so far.
    names: HashSet<String>,
    tensors: BTreeMap<String, Tensor>,
}

impl TensorCollector {
    pub(super) fn new(index: Option<Index>, grids: HashMap<String, QuantGrid>) -> Self {
        Self { index, grids, ..Self::default() }
    }

    /// What comes next is from this file.
    pub(super) fn begin_file(&mut self, file: &str) {
        file.clone_into(&mut self.file);
    }

    /// Hears the names of all tensors of the file, before any of them comes.
    ///
    /// # Errors
    /// `weights` for one that is in two files or, as the index says, belongs in another; or that is not in its own.
    pub(super) fn register<'a>(&mut self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        let mut here = HashSet::new();
        for name in names {
            let place = self.index.as_ref().and_then(|index| index.file_of(name));
            if let Some(other) = place.filter(|place| *place != self.file) {
                return Err(weights(format!("holds {name}, which the index says is in {other}")));
            }
            if self.names.contains(name) {
                return Err(weights(format!("holds {name}, which another file of the model holds too")));
            }
            here.insert(name.clone());
        }
        let missing_tensor = self.index.as_ref().and_then(|index| index.missing_tensor(&self.file, &here));
        if let Some(name) = missing_tensor {
            return Err(weights(format!("does not hold {name}, which the index says is in it")));
        }
        self.names.extend(here);
        Ok(())
    }

    /// Keeps a tensor.
    pub(super) fn insert(&mut self, tensor: Tensor) {
        self.tensors.insert(tensor.name.clone(), tensor);
    }

    /// What rounds `bytes` of elements of a plain file as they come, where they are a matrix that there is a grid for.
    pub(super) fn quantizer(
        &self,
        name: &str,
        shape: &[usize],
        encoding: Encoding,
        bytes: usize,
    ) -> Option<StreamingQuantizer> {
        let shape = <[usize; 2]>::try_from(shape).ok()?;
        let grid = self.grids.get(name)?;
        let is_read = bytes > 0 && !matches!(encoding, Encoding::Unsupported(_));
        is_read.then(|| StreamingQuantizer::new(name, shape, encoding, bytes, *grid))
    }

    /// Keeps a tensor of a plain file that came whole, rounded where [`quantizer`](Self::quantizer) would.
    ///
    /// # Errors
    /// `weights` for one that is to be rounded and holds a number that is not finite.
    pub(super) fn insert_whole(&mut self, tensor: Tensor) -> Result<()> {
        match self.quantizer(&tensor.name, &tensor.shape, tensor.encoding, tensor.data.len()) {
            Some(mut quantizer) => {
                quantizer.push(&tensor.data)?;
                self.insert(quantizer.finish());
            }
            None => self.insert(tensor),
        }
        Ok(())
    }

    pub(super) fn into_tensors(self) -> BTreeMap<String, Tensor> {
        self.tensors
    }
}
