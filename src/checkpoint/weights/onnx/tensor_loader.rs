//! Loads the tensors that a model needs, in the order of the files.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

use super::assemble::{Stored, assemble, values};
use super::elements::{ElementType, FLOAT_DATA, decode};
use super::folded_positions::{FoldedTable, NormalEquations, Product, check_product, in_rows, table};
use super::graph::{Data, Graph, StoredTensor};
use super::layers::Layers;
use super::naming::{Naming, Source};
use crate::checkpoint::weights::MAX_PIECE_BYTES;
use crate::checkpoint::weights::expected::ExpectedTensor;
use crate::checkpoint::weights::streaming_quantizer::StreamingQuantizer;
use crate::checkpoint::weights::tensor::Tensor;
use crate::checkpoint::weights::tensor_collector::TensorCollector;
use crate::error::{Error, Result, weights};

/// Loads stored tensors, and makes the model's tensors from them as soon as all parts of one are there.
#[derive(Debug)]
pub(super) struct TensorLoader {
    expected: Vec<ExpectedTensor>,
    /// The tensors of the model that have yet to be made.
    sources: Vec<Source>,
    /// The table of relative positions that has yet to be made from its products.
    folded: Option<FoldedTable>,
    /// The stored tensors that are needed, by their index in the graph.
    stored: HashMap<usize, StoredTensor>,
    /// The elements that have been read and are still needed.
    elements: HashMap<usize, Vec<u8>>,
    /// The tensors to read from the open file.
    queue: VecDeque<Read>,
    /// The tensors to read from other files.
    external: BTreeMap<String, Vec<Read>>,
    current: Option<Current>,
}

/// A stored tensor and the range of its bytes in its file.
#[derive(Debug)]
struct Read {
    tensor: usize,
    range: Range<u64>,
}

/// The tensor whose bytes arrive now.
#[derive(Debug)]
struct Current {
    read: Read,
    received: u64,
    bytes: Vec<u8>,
    /// Takes the bytes instead, if the stored tensor is a matrix that is quantized as it is.
    quantizer: Option<StreamingQuantizer>,
}

impl TensorLoader {
    /// Finds the tensors of the model in a graph.
    ///
    /// # Errors
    /// `weights` if the same tensor is in another file of the model; `unsupported` for types of elements that are not
    /// read.
    pub(super) fn new(graph: &Graph, collector: &mut TensorCollector) -> Result<Self> {
        let (expected, sources, folded) = find_sources(graph, collector);
        let names = sources.iter().map(|source| &expected[source.expected].name);
        collector.register(names.chain(folded.iter().map(|folded| &folded.expected.name)))?;
        let mut loader = Self {
            expected,
            sources,
            folded,
            stored: HashMap::new(),
            elements: HashMap::new(),
            queue: VecDeque::new(),
            external: BTreeMap::new(),
            current: None,
        };
        let mut reads = BTreeMap::<Option<String>, Vec<Read>>::new();
        let folded = loader.folded.iter().flat_map(FoldedTable::tensors);
        for tensor in loader.sources.iter().flat_map(Source::tensors).chain(folded).collect::<Vec<_>>() {
            let stored = &graph.tensors[tensor];
            if loader.stored.insert(tensor, stored.clone()).is_none() {
                let (file, range) = position(stored)?;
                reads.entry(file).or_default().push(Read { tensor, range });
            }
        }
        for (file, mut reads) in reads {
            // Scales and zero points first, so that no matrix has to wait for them.
            let is_part = |read: &Read| loader.sources.iter().all(|source| source.tensor != read.tensor);
            reads.sort_by_cached_key(|read| (!is_part(read), read.range.start));
            match file {
                None => loader.queue = reads.into(),
                Some(file) => drop(loader.external.insert(file, reads)),
            }
        }
        Ok(loader)
    }

    /// Returns the names of the files with data that has yet to be read, without their folder.
    pub(super) fn missing_files(&self) -> impl Iterator<Item = &str> {
        self.external.keys().map(String::as_str)
    }

    /// Begins a file of `length` bytes: the model's own, or one of the missing ones.
    ///
    /// # Errors
    /// `weights` if a tensor lies outside it.
    pub(super) fn open(
        &mut self,
        file: Option<&str>,
        length: u64,
        collector: &mut TensorCollector,
    ) -> Result<()> {
        if let Some(reads) = file.and_then(|file| self.external.remove(file)) {
            self.queue = reads.into();
        }
        for Read { tensor, range } in &self.queue {
            if range.end > length {
                let name = &self.stored[tensor].name;
                return Err(weights(format!(
                    "{name} ends at byte {}, but the file has {length} bytes: download it again",
                    range.end
                )));
            }
        }
        self.next(collector)
    }

    /// Returns the bytes to push next; `None` if the open file is complete.
    pub(super) fn wanted(&self) -> Option<Range<u64>> {
        let Current { read, received, .. } = self.current.as_ref()?;
        let start = read.range.start + received;
        Some(start..read.range.end.min(start + MAX_PIECE_BYTES))
    }

    /// Takes the wanted bytes, or a prefix of them.
    ///
    /// # Errors
    /// `weights` if a tensor is malformed or has a number that is not finite; `unsupported` for integers without scales.
    pub(super) fn push(&mut self, piece: &[u8], collector: &mut TensorCollector) -> Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        current.received += piece.len() as u64;
        match &mut current.quantizer {
            Some(quantizer) => quantizer.push(piece)?,
            None => current.bytes.extend_from_slice(piece),
        }
        if current.read.range.start + current.received >= current.read.range.end {
            self.finish_current(collector)?;
            self.next(collector)?;
        }
        Ok(())
    }

    /// Begins the next tensor of the open file. Tensors without bytes are complete at once.
    fn next(&mut self, collector: &mut TensorCollector) -> Result<()> {
        while self.current.is_none() {
            let Some(read) = self.queue.pop_front() else { return Ok(()) };
            let quantizer = self.quantizer(&read, collector);
            let is_empty = read.range.is_empty();
            self.current = Some(Current { read, received: 0, bytes: Vec::new(), quantizer });
            if is_empty {
                self.finish_current(collector)?;
            }
        }
        Ok(())
    }

    /// Returns a quantizer for a stored tensor that is a matrix or table of the model as it is.
    fn quantizer(&self, read: &Read, collector: &TensorCollector) -> Option<StreamingQuantizer> {
        let mut users =
            self.sources.iter().filter(|source| source.tensors().any(|tensor| tensor == read.tensor));
        let (Some(source), None) = (users.next(), users.next()) else { return None };
        if self.folded.iter().flat_map(FoldedTable::tensors).any(|tensor| tensor == read.tensor) {
            return None;
        }
        let stored = &self.stored[&read.tensor];
        let is_stored_in_order =
            matches!(stored.data, Data::Raw(_) | Data::External(_) | Data::Packed(FLOAT_DATA, _));
        if source.is_transposed || source.parts > 1 || source.quantization.is_some() || !is_stored_in_order {
            return None;
        }
        let kind = ElementType::of(stored).ok()?;
        let bytes = stored.elements()?.checked_mul(kind.bytes())?;
        let ExpectedTensor { name, shape, .. } = &self.expected[source.expected];
        let is_complete = bytes as u64 == read.range.end - read.range.start;
        if is_complete { collector.quantizer(name, shape, kind.encoding()?, bytes) } else { None }
    }

    fn finish_current(&mut self, collector: &mut TensorCollector) -> Result<()> {
        let Some(Current { read, bytes, quantizer, .. }) = self.current.take() else { return Ok(()) };
        if let Some(quantizer) = quantizer {
            collector.insert(quantizer.finish());
            self.sources.retain(|source| source.tensor != read.tensor);
            return Ok(());
        }
        let stored = &self.stored[&read.tensor];
        let elements = decode(stored, bytes)?;
        self.elements.insert(read.tensor, elements);
        self.assemble_complete(collector)
    }

    /// Makes the tensors of the model whose parts have all been read, and drops elements that are not needed any more.
    fn assemble_complete(&mut self, collector: &mut TensorCollector) -> Result<()> {
        let is_complete =
            |source: &Source| source.tensors().all(|tensor| self.elements.contains_key(&tensor));
        let (complete, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.sources).into_iter().partition(is_complete);
        self.sources = rest;
        for source in complete {
            let (stored, quantization) = self.parts_of(&source);
            assemble(&source, &self.expected[source.expected], stored, quantization, collector)?;
        }
        let is_complete =
            |folded: &mut FoldedTable| folded.tensors().all(|tensor| self.elements.contains_key(&tensor));
        if let Some(folded) = self.folded.take_if(is_complete) {
            collector.insert_whole(self.unfold(&folded)?)?;
        }
        let (sources, folded) = (&self.sources, &self.folded);
        let is_needed = |tensor: &usize| {
            sources.iter().any(|source| source.tensors().any(|other| other == *tensor))
                || folded.iter().flat_map(FoldedTable::tensors).any(|other| other == *tensor)
        };
        self.elements.retain(|tensor, _| is_needed(tensor));
        Ok(())
    }
}

impl TensorLoader {
    fn part(&self, tensor: usize) -> Stored<'_> {
        Stored { tensor: &self.stored[&tensor], elements: &self.elements[&tensor] }
    }

    /// Returns the stored tensor of a source, with its scale and zero point. All of them must have been read.
    fn parts_of(&self, source: &Source) -> (Stored<'_>, Option<(Stored<'_>, Option<Stored<'_>>)>) {
        let quantization = source.quantization.as_ref();
        let quantization = quantization
            .map(|found| (self.part(found.scale), found.zero_point.map(|tensor| self.part(tensor))));
        (self.part(source.tensor), quantization)
    }

    /// Makes a table from its products, all of whose tensors have been read.
    fn unfold(&self, folded: &FoldedTable) -> Result<Tensor> {
        let values_of = |source: &Source| {
            let (stored, quantization) = self.parts_of(source);
            values(source, &self.expected[source.expected], stored, quantization)
        };
        let products = || {
            folded.products.iter().map(|product| {
                let Stored { tensor, elements } = self.part(product.tensor);
                let rows = in_rows(&folded.expected, &tensor.shape, elements, ElementType::of(tensor)?);
                let rows =
                    rows.ok_or_else(|| weights(format!("{} has the shape {:?}", tensor.name, tensor.shape)))?;
                Ok::<_, Error>((rows, values_of(&product.weight)?, values_of(&product.bias)?))
            })
        };
        let mut equations = NormalEquations::new(&folded.expected);
        for product in products() {
            let (rows, weight, bias) = product?;
            equations.add(&rows, &weight, &bias);
        }
        let solution = equations.solve(&folded.expected.name)?;
        for product in products() {
            let (rows, weight, bias) = product?;
            check_product(&folded.expected, &solution, &rows, &weight, &bias)?;
        }
        Ok(table(&folded.expected, &solution))
    }
}

impl FoldedTable {
    /// Returns the stored tensors that it is made of.
    fn tensors(&self) -> impl Iterator<Item = usize> {
        let tensors = |product: &Product| {
            let parts = product.weight.tensors().chain(product.bias.tensors());
            parts.chain([product.tensor]).collect::<Vec<_>>()
        };
        self.products.iter().flat_map(tensors).collect::<Vec<_>>().into_iter()
    }
}

impl Source {
    /// Returns the stored tensors that it is made of.
    fn tensors(&self) -> impl Iterator<Item = usize> {
        let quantization = self.quantization.as_ref();
        let parts = quantization.map(|quantization| [Some(quantization.scale), quantization.zero_point]);
        std::iter::once(self.tensor).chain(parts.into_iter().flatten().flatten())
    }
}

/// Returns the expected tensors under the names of which the graph shows most, and where they are.
fn find_sources(
    graph: &Graph,
    collector: &TensorCollector,
) -> (Vec<ExpectedTensor>, Vec<Source>, Option<FoldedTable>) {
    let layers = Layers::find(graph);
    let mut best = (Vec::new(), Vec::new(), None);
    for expected in &collector.expected.namings {
        let (sources, folded) = Naming::find(graph, &layers, expected);
        if sources.len() > best.1.len() {
            best = (expected.clone(), sources, folded);
        }
    }
    best
}

/// Returns the file with the data of a tensor, if it is another one, and the range of its bytes.
fn position(tensor: &StoredTensor) -> Result<(Option<String>, Range<u64>)> {
    let kind = ElementType::of(tensor)?;
    let bytes = tensor.elements().and_then(|elements| elements.checked_mul(kind.bytes()));
    let Some(bytes) = bytes else {
        return Err(weights(format!("{} has the impossible shape {:?}", tensor.name, tensor.shape)));
    };
    Ok(match &tensor.data {
        Data::Absent => (None, 0..0),
        Data::Raw(range) | Data::Packed(_, range) | Data::Repeated(_, range) => (None, range.clone()),
        Data::External(external) => {
            let length = external.length.unwrap_or(bytes as u64);
            (Some(external.location.clone()), external.offset..external.offset.saturating_add(length))
        }
    })
}
