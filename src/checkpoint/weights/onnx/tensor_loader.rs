//! Loads the tensors that a model needs, in the order of the files.

use std::ops::Range;
use std::vec::IntoIter;

use super::assemble::{Stored, assemble, tensor, values};
use super::elements::{ElementType, FLOAT_DATA, decode};
use super::folded_positions::{FoldedTable, NormalEquations, Product, check_product, in_rows, table};
use super::graph::{Data, Graph, StoredTensor};
use super::layers::Layers;
use super::naming::{Found, Naming, Source};
use super::protobuf::malformed;
use crate::checkpoint::weights::MAX_PIECE_BYTES;
use crate::checkpoint::weights::expected::ExpectedTensor;
use crate::checkpoint::weights::streaming_quantizer::StreamingQuantizer;
use crate::checkpoint::weights::tensor::{Encoding, Tensor};
use crate::checkpoint::weights::tensor_collector::TensorCollector;
use crate::error::{Result, weights};

/// Loads stored tensors, and makes the model's tensors from them as soon as all parts of one are there.
#[derive(Debug)]
pub(super) struct TensorLoader {
    expected: Vec<ExpectedTensor>,
    /// The tensors of the model that have yet to be made.
    sources: Vec<Source>,
    /// The table of relative positions that has yet to be made from its products.
    folded: Option<FoldedTable>,
    /// The tensors of the graph.
    stored: Vec<StoredTensor>,
    /// The elements of each of them, if they have been read and are still needed.
    elements: Vec<Option<Vec<u8>>>,
    /// The tensors to read from the open file.
    queue: IntoIter<Read>,
    /// The tensors to read from other files.
    external: Vec<(String, Vec<Read>)>,
    current: Option<Current>,
}

/// Takes a product of a folded table, with its matrix and its bias.
type TakeProduct<'a> = dyn FnMut(&[f32], &[f32], &[f32]) -> Result<()> + 'a;

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
    pub(super) fn new(graph: Graph, collector: &mut TensorCollector) -> Result<Self> {
        let (expected, Found { mut sources, folded, zeros }) = find_sources(&graph, collector);
        let indices = sources.iter().map(|source| source.expected).chain(zeros.iter().copied());
        let names = indices.map(|index| &expected[index].name);
        collector.register(names.chain(folded.iter().map(|folded| &folded.expected.name)))?;
        for expected in zeros.into_iter().map(|index| &expected[index]) {
            let bytes = vec![0; 4 * expected.shape.iter().product::<usize>()];
            collector.insert(tensor(expected, Encoding::F32, bytes, Vec::new()));
        }
        sources.retain(|source| {
            let expected = &expected[source.expected];
            let is_read = collector.is_read(&expected.name);
            if !is_read {
                collector.insert(tensor(expected, Encoding::F32, Vec::new(), Vec::new()));
            }
            is_read
        });
        let mut loader = Self {
            expected,
            sources,
            folded,
            elements: vec![None; graph.tensors.len()],
            stored: graph.tensors,
            queue: Vec::new().into_iter(),
            external: Vec::new(),
            current: None,
        };
        loader.queue_tensors()?;
        Ok(loader)
    }

    /// Queues the tensors that are needed: scales and zero points first, so that no matrix has to wait for them, and
    /// both in the order of the file.
    fn queue_tensors(&mut self) -> Result<()> {
        let mut is_main = vec![false; self.stored.len()];
        let mut is_part = is_main.clone();
        self.sources.iter().for_each(|source| is_main[source.tensor] = true);
        let mut needed = self.folded.as_ref().map(FoldedTable::tensors).unwrap_or_default();
        self.sources.iter().for_each(|source| needed.extend(source.tensors()));
        needed.into_iter().for_each(|tensor| is_part[tensor] = !is_main[tensor]);
        let mut queue = Vec::new();
        for needed in [is_part, is_main] {
            for tensor in (0..self.stored.len()).filter(|tensor| needed[*tensor]) {
                let (file, range) = position(&self.stored[tensor])?;
                let read = Read { tensor, range };
                match file {
                    None => queue.push(read),
                    Some(file) => match self.external.iter_mut().find(|(name, _)| *name == file) {
                        Some((_, reads)) => reads.push(read),
                        None => self.external.push((file, vec![read])),
                    },
                }
            }
        }
        self.queue = queue.into_iter();
        Ok(())
    }

    /// Returns the names of the files with data that has yet to be read, without their folder.
    pub(super) fn missing_files(&self) -> impl Iterator<Item = &str> {
        self.external.iter().map(|(name, _)| name.as_str())
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
        let position = file.and_then(|file| self.external.iter().position(|(name, _)| name == file));
        if let Some(position) = position {
            self.queue = self.external.remove(position).1.into_iter();
        }
        for Read { tensor, range } in self.queue.as_slice() {
            if range.end > length {
                let name = &self.stored[*tensor].name;
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
        let end = current.read.range.end - current.read.range.start;
        if current.received > end {
            return Err(malformed("more bytes came than were wanted"));
        }
        if current.received == end {
            self.finish_current(collector)?;
            self.next(collector)?;
        }
        Ok(())
    }

    /// Begins the next tensor of the open file. Tensors without bytes are complete at once.
    fn next(&mut self, collector: &mut TensorCollector) -> Result<()> {
        while self.current.is_none() {
            let Some(read) = self.queue.next() else { return Ok(()) };
            let quantizer = self.quantizer(&read, collector);
            let is_empty = read.range.is_empty();
            // The range lies within the file.
            let capacity = if quantizer.is_some() { 0 } else { (read.range.end - read.range.start) as usize };
            let bytes = Vec::with_capacity(capacity);
            self.current = Some(Current { read, received: 0, bytes, quantizer });
            if is_empty {
                self.finish_current(collector)?;
            }
        }
        Ok(())
    }

    /// Returns how many tensors of the model are made of a stored one.
    fn uses_of(&self, tensor: usize) -> usize {
        let sources = self.sources.iter().filter(|source| source.tensors().contains(&tensor)).count();
        sources + self.folded.iter().filter(|folded| folded.tensors().contains(&tensor)).count()
    }

    /// Returns the only tensor of the model that is made of a stored one, and its encoding, if the elements are floats in
    /// the order of the model.
    fn copy_of(&self, tensor: usize) -> Option<(&ExpectedTensor, Encoding)> {
        let source = self.sources.iter().find(|source| source.tensor == tensor)?;
        let is_copy = !source.is_transposed && source.parts == 1 && source.quantization.is_none();
        let encoding = ElementType::of(&self.stored[tensor]).ok()?.encoding()?;
        (is_copy && self.uses_of(tensor) == 1).then_some((&self.expected[source.expected], encoding))
    }

    /// Returns a quantizer for a stored tensor that is a matrix or table of the model as it is.
    fn quantizer(&self, read: &Read, collector: &TensorCollector) -> Option<StreamingQuantizer> {
        let (ExpectedTensor { name, shape, .. }, encoding) = self.copy_of(read.tensor)?;
        let stored = &self.stored[read.tensor];
        if !matches!(stored.data, Data::Raw(_) | Data::External(_) | Data::Packed(FLOAT_DATA, _)) {
            return None;
        }
        let bytes = stored.elements()?.checked_mul(ElementType::of(stored).ok()?.bytes())?;
        let is_complete = bytes as u64 == read.range.end - read.range.start;
        if is_complete { collector.quantizer(name, shape, encoding, bytes) } else { None }
    }

    fn finish_current(&mut self, collector: &mut TensorCollector) -> Result<()> {
        let Some(Current { read, bytes, quantizer, .. }) = self.current.take() else { return Ok(()) };
        if let Some(quantizer) = quantizer {
            collector.insert(quantizer.finish());
            self.sources.retain(|source| source.tensor != read.tensor);
            return Ok(());
        }
        let elements = decode(&mut self.stored[read.tensor], bytes)?;
        if let Some((expected, encoding)) = self.copy_of(read.tensor) {
            collector.insert_whole(tensor(expected, encoding, elements, Vec::new()))?;
            self.sources.retain(|source| source.tensor != read.tensor);
            return Ok(());
        }
        self.elements[read.tensor] = Some(elements);
        self.assemble_complete(collector)
    }

    /// Makes the tensors of the model whose parts have all been read, and drops elements that are not needed any more.
    fn assemble_complete(&mut self, collector: &mut TensorCollector) -> Result<()> {
        for source in std::mem::take(&mut self.sources) {
            if self.has_all(&source.tensors()) {
                let (stored, quantization) = self.parts_of(&source);
                assemble(&source, &self.expected[source.expected], stored, quantization, collector)?;
            } else {
                self.sources.push(source);
            }
        }
        if let Some(folded) = self.folded.take() {
            if self.has_all(&folded.tensors()) {
                collector.insert_whole(self.unfold(&folded)?)?;
            } else {
                self.folded = Some(folded);
            }
        }
        for tensor in 0..self.elements.len() {
            if self.elements[tensor].is_some() && self.uses_of(tensor) == 0 {
                self.elements[tensor] = None;
            }
        }
        Ok(())
    }
}

impl TensorLoader {
    fn has_all(&self, tensors: &[usize]) -> bool {
        tensors.iter().all(|tensor| self.elements[*tensor].is_some())
    }

    fn part(&self, tensor: usize) -> Stored<'_> {
        Stored {
            tensor: &self.stored[tensor],
            elements: self.elements[tensor].as_deref().unwrap_or_default(),
        }
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
        let each_product = |take: &mut TakeProduct| {
            folded.products.iter().try_for_each(|product| {
                let Stored { tensor, elements } = self.part(product.tensor);
                let rows = in_rows(&folded.expected, &tensor.shape, elements, ElementType::of(tensor)?);
                let rows =
                    rows.ok_or_else(|| weights(format!("{} has the shape {:?}", tensor.name, tensor.shape)))?;
                take(&rows, &values_of(&product.weight)?, &values_of(&product.bias)?)
            })
        };
        let mut equations = NormalEquations::new(&folded.expected);
        each_product(&mut |rows, weight, bias| {
            equations.add(rows, weight, bias);
            Ok(())
        })?;
        let solution = equations.solve(&folded.expected.name)?;
        each_product(&mut |rows, weight, bias| {
            check_product(&folded.expected, &solution, rows, weight, bias)
        })?;
        Ok(table(&folded.expected, &solution))
    }
}

impl FoldedTable {
    /// Returns the stored tensors that it is made of.
    fn tensors(&self) -> Vec<usize> {
        let mut tensors = Vec::new();
        for Product { tensor, weight, bias } in &self.products {
            tensors.push(*tensor);
            tensors.extend(weight.tensors());
            tensors.extend(bias.tensors());
        }
        tensors
    }
}

impl Source {
    /// Returns the stored tensors that it is made of.
    fn tensors(&self) -> Vec<usize> {
        let mut tensors = vec![self.tensor];
        if let Some(quantization) = &self.quantization {
            tensors.push(quantization.scale);
            tensors.extend(quantization.zero_point);
        }
        tensors
    }
}

/// Returns the expected tensors under those names that match the most tensors of the graph, and where they are.
fn find_sources(graph: &Graph, collector: &TensorCollector) -> (Vec<ExpectedTensor>, Found) {
    let layers = Layers::find(graph);
    let mut best = (Vec::new(), Found::default());
    for expected in &collector.expected.namings {
        let found = Naming::find(graph, &layers, expected);
        if found.sources.len() > best.1.sources.len() {
            best = (expected.clone(), found);
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
