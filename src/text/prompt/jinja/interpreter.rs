//! Runs the statements of a template.

use std::collections::HashMap;
use std::rc::Rc;

use super::expression::{Arguments, Expression};
use super::filters;
use super::template::{Loop, Node};
use super::value::{PromptPiece, Value, append, depends_on_the_texts, flag};
use super::{MAX_DEPTH, MAX_SET_BYTES, MAX_STEPS, excerpt, not_supported};
use crate::error::Result;

type Scope = HashMap<String, Value>;
/// The values of named arguments.
type NamedValues = Vec<(String, Value)>;

/// The state of a run.
pub(super) struct Interpreter {
    /// The outermost scope first. Each item of a loop has its own.
    scopes: Vec<Scope>,
    namespaces: Vec<Scope>,
    out: Vec<PromptPiece>,
    steps: usize,
    /// Conditions on the texts of the pair around the statement that runs.
    unknown_depth: usize,
    /// Bytes of all literal texts that variables were set to.
    set_bytes: usize,
}

/// Functions and variables of transformers' environment that are not the caller's.
const ENVIRONMENT: [&str; 8] =
    ["raise_exception", "strftime_now", "namespace", "dict", "range", "lipsum", "cycler", "joiner"];

impl Interpreter {
    pub(super) fn new(variables: Vec<(String, Value)>) -> Self {
        let scopes = vec![variables.into_iter().collect()];
        Self { scopes, namespaces: Vec::new(), out: Vec::new(), steps: 0, unknown_depth: 0, set_bytes: 0 }
    }

    /// Runs a template and returns what it writes.
    pub(super) fn run(mut self, nodes: &[Node]) -> Result<Vec<PromptPiece>> {
        self.block(nodes)?;
        Ok(self.out)
    }

    /// Counts a step.
    pub(super) fn step(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(not_supported(&format!("it takes more than {MAX_STEPS} steps")));
        }
        Ok(())
    }

    fn block(&mut self, nodes: &[Node]) -> Result<()> {
        nodes.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &Node) -> Result<()> {
        self.step()?;
        match node {
            Node::Text(text) => append(&mut self.out, &[PromptPiece::Text(text.clone())]),
            Node::Output(expression) => {
                let pieces = self.value(expression)?.printed()?;
                append(&mut self.out, &pieces)
            }
            Node::If(branches, otherwise) => self.conditional(branches, otherwise),
            Node::For(iteration) => self.iteration(iteration),
            Node::Set(name, None, expression) => {
                let value = self.value(expression)?;
                self.set(name, value)
            }
            Node::Set(name, Some(attribute), expression) => {
                let value = self.value(expression)?;
                let Value::Namespace(index) = self.variable(name)? else {
                    return Err(not_supported(&format!("{} is no namespace", excerpt(name))));
                };
                self.count_bytes(&value)?;
                self.namespaces[index].insert(attribute.clone(), value);
                Ok(())
            }
            Node::SetBlock(name, body) => {
                let out = std::mem::take(&mut self.out);
                self.scopes.push(Scope::new());
                let result = self.block(body);
                self.scopes.pop();
                result?;
                let text = std::mem::replace(&mut self.out, out);
                self.set(name, Value::Text(Rc::new(text)))
            }
        }
    }

    fn set(&mut self, name: &str, value: Value) -> Result<()> {
        self.count_bytes(&value)?;
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_owned(), value);
        }
        Ok(())
    }

    /// Counts the bytes that a variable is set to, and rejects generators, which the first use would change.
    fn count_bytes(&mut self, value: &Value) -> Result<()> {
        if matches!(value, Value::Generator(_)) {
            return Err(not_supported(
                "a variable is a generator, which can be read only once: add the filter list",
            ));
        }
        let Value::Text(pieces) = value else { return Ok(()) };
        self.set_bytes += pieces.iter().map(PromptPiece::bytes).sum::<usize>();
        if self.set_bytes > MAX_SET_BYTES {
            return Err(not_supported(&format!("its variables have more than {MAX_SET_BYTES} bytes")));
        }
        Ok(())
    }

    /// Runs the first branch whose condition is true.
    fn conditional(&mut self, mut branches: &[(Expression, Vec<Node>)], otherwise: &[Node]) -> Result<()> {
        while let Some(((condition, body), rest)) = branches.split_first() {
            self.step()?;
            match self.value(condition)?.truth() {
                Some(true) => return self.block(body),
                Some(false) => branches = rest,
                None => return self.either(|run| run.block(body), |run| run.conditional(rest, otherwise)),
            }
        }
        self.block(otherwise)
    }

    /// Runs both branches of a condition on the texts of the pair. They must write the same; variables in which they
    /// differ become unknown.
    fn either(
        &mut self,
        first: impl FnOnce(&mut Self) -> Result<()>,
        second: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.unknown_depth += 1;
        if self.unknown_depth > MAX_DEPTH {
            return Err(depends_on_the_texts());
        }
        let out = std::mem::take(&mut self.out);
        let (scopes, namespaces) = (self.scopes.clone(), self.namespaces.clone());
        first(self)?;
        let first_out = std::mem::take(&mut self.out);
        let first_scopes = std::mem::replace(&mut self.scopes, scopes);
        let first_namespaces = std::mem::replace(&mut self.namespaces, namespaces);
        second(self)?;
        if first_out != self.out {
            return Err(depends_on_the_texts());
        }
        self.unknown_depth -= 1;
        merge(&mut self.scopes, first_scopes);
        merge(&mut self.namespaces, first_namespaces);
        self.out = out;
        append(&mut self.out, &first_out)
    }

    fn iteration(&mut self, iteration: &Loop) -> Result<()> {
        let Loop { variable, items, condition, body, otherwise } = iteration;
        let items = match self.value(items)? {
            Value::List(items) | Value::Generator(items) => items,
            Value::Undefined => Rc::default(),
            Value::Unknown => return Err(depends_on_the_texts()),
            _ => return Err(not_supported("it loops over a value that is no list")),
        };
        let mut selected = Vec::new();
        for item in items.iter() {
            self.step()?;
            let is_selected = match condition {
                None => Some(true),
                Some(condition) => {
                    self.scopes.push(Scope::from([(variable.clone(), item.clone())]));
                    let value = self.value(condition);
                    self.scopes.pop();
                    value?.truth()
                }
            };
            if is_selected.ok_or_else(depends_on_the_texts)? {
                selected.push(item.clone());
            }
        }
        if selected.is_empty() {
            return self.block(otherwise);
        }
        let at = |index: usize| selected.get(index).cloned().unwrap_or(Value::Undefined);
        let int = |number: usize| Value::Int(number as i64);
        for index in 0..selected.len() {
            let place = Value::map(&[
                ("index", int(index + 1)),
                ("index0", int(index)),
                ("revindex", int(selected.len() - index)),
                ("revindex0", int(selected.len() - index - 1)),
                ("first", Value::Bool(index == 0)),
                ("last", Value::Bool(index + 1 == selected.len())),
                ("length", int(selected.len())),
                ("previtem", if index == 0 { Value::Undefined } else { at(index - 1) }),
                ("nextitem", at(index + 1)),
            ]);
            self.scopes.push(Scope::from([(variable.clone(), at(index)), ("loop".to_owned(), place)]));
            let result = self.block(body);
            self.scopes.pop();
            result?;
        }
        Ok(())
    }

    fn variable(&self, name: &str) -> Result<Value> {
        if let Some(value) = self.scopes.iter().rev().find_map(|scope| scope.get(name)) {
            return Ok(value.clone());
        }
        if ENVIRONMENT.contains(&name) || name.ends_with("_token") || name.ends_with("_tokens") {
            return Err(not_supported(&format!("the name {} is unknown", excerpt(name))));
        }
        Ok(Value::Undefined)
    }

    pub(super) fn value(&mut self, expression: &Expression) -> Result<Value> {
        self.step()?;
        match expression {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Name(name) => self.variable(name),
            Expression::List(items) => {
                let items = items.iter().map(|item| self.value(item)).collect::<Result<Vec<_>>>()?;
                if items.iter().any(|item| matches!(item, Value::List(_) | Value::Generator(_))) {
                    return Err(not_supported("a list is in another list"));
                }
                self.list(items)
            }
            Expression::Attribute(value, name) => {
                let value = self.value(value)?;
                self.attribute(&value, name)
            }
            Expression::Index(value, index) => {
                let (value, index) = (self.value(value)?, self.value(index)?);
                match index.literal() {
                    Some(name) => self.attribute(&value, name),
                    None => item(&value, &index),
                }
            }
            Expression::Slice(value, parts) => {
                let value = self.value(value)?;
                let part = |part: &Option<Box<Expression>>, run: &mut Self| {
                    part.as_deref().map(|part| run.value(part)).transpose()
                };
                let parts = [part(&parts[0], self)?, part(&parts[1], self)?, part(&parts[2], self)?];
                filters::slice(&value, parts)
            }
            Expression::Call(function, arguments) => self.call(function, arguments),
            Expression::Filter(value, name, arguments) => {
                let value = self.value(value)?;
                let (positional, named) = self.arguments(arguments)?;
                self.filter(value, name, &positional, &named)
            }
            Expression::Test(value, name, arguments) => {
                let value = self.value(value)?;
                let arguments =
                    arguments.iter().map(|value| self.value(value)).collect::<Result<Vec<_>>>()?;
                filters::test(&value, name, &arguments).map(flag)
            }
            Expression::Not(value) => Ok(flag(self.value(value)?.truth().map(|truth| !truth))),
            Expression::Negative(value) => match self.value(value)? {
                Value::Int(number) => Ok(Value::Int(number.saturating_neg())),
                Value::Unknown => Ok(Value::Unknown),
                _ => Err(not_supported("a minus is not before a number")),
            },
            Expression::Binary("and", left, right) => {
                let left = self.value(left)?;
                match left.truth() {
                    Some(true) => self.value(right),
                    Some(false) => Ok(left),
                    None => self.value(right).map(|_| Value::Unknown),
                }
            }
            Expression::Binary("or", left, right) => {
                let left = self.value(left)?;
                match left.truth() {
                    Some(true) => Ok(left),
                    Some(false) => self.value(right),
                    None => self.value(right).map(|_| Value::Unknown),
                }
            }
            Expression::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                filters::binary(operator, &left, &right)
            }
            Expression::Conditional(parts, otherwise) => {
                let [condition, value] = parts.as_ref();
                match (self.value(condition)?.truth(), otherwise) {
                    (Some(true), _) => self.value(value),
                    (Some(false), Some(otherwise)) => self.value(otherwise),
                    (Some(false), None) => Ok(Value::Undefined),
                    (None, _) => Ok(Value::Unknown),
                }
            }
        }
    }

    /// Makes a list and counts its items as steps.
    pub(super) fn list(&mut self, items: Vec<Value>) -> Result<Value> {
        items.iter().try_for_each(|_| self.step())?;
        Ok(Value::list(items))
    }

    /// Makes a generator and counts its items as steps.
    pub(super) fn generator(&mut self, items: Vec<Value>) -> Result<Value> {
        items.iter().try_for_each(|_| self.step())?;
        Ok(Value::Generator(Rc::new(items)))
    }

    fn arguments(&mut self, arguments: &Arguments) -> Result<(Vec<Value>, NamedValues)> {
        let positional = arguments.positional.iter().map(|value| self.value(value)).collect::<Result<_>>()?;
        let named = arguments.named.iter().map(|(name, value)| Ok((name.clone(), self.value(value)?)));
        Ok((positional, named.collect::<Result<_>>()?))
    }

    /// Returns an attribute of a value, or the entry with that name.
    pub(super) fn attribute(&self, value: &Value, name: &str) -> Result<Value> {
        match value {
            Value::Map(entries) => Ok(entries
                .iter()
                .find(|(key, _)| key == name)
                .map_or(Value::Undefined, |(_, value)| value.clone())),
            Value::Namespace(index) => {
                Ok(self.namespaces[*index].get(name).cloned().unwrap_or(Value::Undefined))
            }
            Value::Unknown => Ok(Value::Unknown),
            Value::Undefined => {
                Err(not_supported(&format!("it reads {} of a value that is undefined", excerpt(name))))
            }
            _ => Ok(Value::Undefined),
        }
    }

    fn call(&mut self, function: &Expression, arguments: &Arguments) -> Result<Value> {
        let (positional, named) = self.arguments(arguments)?;
        match function {
            Expression::Attribute(value, name) => {
                let value = self.value(value)?;
                filters::method(&value, name, &positional)
            }
            Expression::Name(name) if name == "namespace" && positional.is_empty() => {
                self.namespaces.push(named.into_iter().collect());
                Ok(Value::Namespace(self.namespaces.len() - 1))
            }
            Expression::Name(name) if name == "raise_exception" => {
                let message = positional.first().and_then(Value::literal).unwrap_or("no message");
                Err(not_supported(&format!("it rejects a query and a document: {:?}", excerpt(message))))
            }
            Expression::Name(name) => {
                Err(not_supported(&format!("the function {} cannot be called", excerpt(name))))
            }
            _ => Err(not_supported("a call is not supported")),
        }
    }
}

/// Keeps the values that both branches of a condition agree on.
fn merge(scopes: &mut [Scope], others: Vec<Scope>) {
    for (scope, other) in scopes.iter_mut().zip(others) {
        for (name, value) in &mut *scope {
            if other.get(name) != Some(value) {
                *value = Value::Unknown;
            }
        }
        for name in other.into_keys() {
            scope.entry(name).or_insert(Value::Unknown);
        }
    }
}

/// Returns the item of a list at an index, which counts from the end if it is negative.
fn item(value: &Value, index: &Value) -> Result<Value> {
    match (value, index) {
        (Value::Unknown, _) | (_, Value::Unknown) => Ok(Value::Unknown),
        (Value::List(items), Value::Int(index)) => {
            let index = if *index < 0 { *index + items.len() as i64 } else { *index };
            let item = usize::try_from(index).ok().and_then(|index| items.get(index));
            Ok(item.cloned().unwrap_or(Value::Undefined))
        }
        (Value::Text(_), Value::Int(_)) => Ok(Value::Unknown),
        _ => Err(not_supported("an index is not into a list")),
    }
}
