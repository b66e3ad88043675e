//! Parses a template into statements.

use super::expression::{self, Expression, Parser};
use super::segments::{Segment, segments};
use super::{MAX_DEPTH, excerpt, not_supported};
use crate::error::Result;

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Output(Expression),
    /// The branches with their conditions, and the branch without one.
    If(Vec<(Expression, Vec<Node>)>, Vec<Node>),
    For(Box<Loop>),
    /// Sets a variable, or an attribute of a namespace.
    Set(String, Option<String>, Expression),
    /// Sets a variable to the text that the statements write.
    SetBlock(String, Vec<Node>),
}

#[derive(Debug)]
pub(super) struct Loop {
    pub(super) variable: String,
    pub(super) items: Expression,
    /// Selects items.
    pub(super) condition: Option<Expression>,
    pub(super) body: Vec<Node>,
    /// Runs if there are no items.
    pub(super) otherwise: Vec<Node>,
}

/// Parses a template.
///
/// # Errors
/// `unsupported` for anything outside the subset.
pub(super) fn parse(template: &str) -> Result<Vec<Node>> {
    let mut reader = Reader { segments: segments(template)?.into_iter(), depth: 0 };
    let (nodes, end) = reader.block()?;
    match end {
        None => Ok(nodes),
        Some(text) => Err(not_supported(&format!("{:?} ends nothing", excerpt(text)))),
    }
}

struct Reader<'a> {
    segments: std::vec::IntoIter<Segment<'a>>,
    depth: usize,
}

/// Splits the text of a statement into its name and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

impl<'a> Reader<'a> {
    /// Reads statements up to one that ends or continues a block. Returns its text.
    fn block(&mut self) -> Result<(Vec<Node>, Option<&'a str>)> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(not_supported("blocks are nested too deeply"));
        }
        let mut nodes = Vec::new();
        let mut end = None;
        while let Some(segment) = self.segments.next() {
            match segment {
                Segment::Text("") => {}
                Segment::Text(text) => nodes.push(Node::Text(text.to_owned())),
                Segment::Expression(text) => nodes.push(Node::Output(expression::parse(text)?)),
                Segment::Statement(text) => match split(text) {
                    // Marks the replies of an assistant for training.
                    ("generation" | "endgeneration", "") => {}
                    ("elif" | "else" | "endif" | "endfor" | "endset", _) => {
                        end = Some(text);
                        break;
                    }
                    (name, rest) => nodes.push(self.statement(name, rest, text)?),
                },
            }
        }
        self.depth -= 1;
        Ok((nodes, end))
    }

    fn statement(&mut self, name: &str, rest: &str, text: &str) -> Result<Node> {
        match name {
            "if" => self.conditional(rest),
            "for" => self.iteration(rest),
            "set" => self.assignment(rest),
            _ => Err(not_supported(&format!("the statement {:?} is unknown", excerpt(text)))),
        }
    }

    fn conditional(&mut self, condition: &str) -> Result<Node> {
        let mut condition = expression::parse(condition)?;
        let mut branches = Vec::new();
        loop {
            let (body, end) = self.block()?;
            branches.push((condition, body));
            match end.map(split) {
                Some(("elif", next)) => condition = expression::parse(next)?,
                Some(("else", "")) => {
                    let (otherwise, end) = self.block()?;
                    expect_end(end, "endif")?;
                    return Ok(Node::If(branches, otherwise));
                }
                end => {
                    expect_end(end.map(|(name, _)| name), "endif")?;
                    return Ok(Node::If(branches, Vec::new()));
                }
            }
        }
    }

    fn iteration(&mut self, text: &str) -> Result<Node> {
        let mut parser = Parser::new(text)?;
        let variable = parser.name()?;
        if !parser.eat_word("in") {
            return Err(not_supported(&format!("the loop {:?} has several variables", excerpt(text))));
        }
        let items = parser.or()?;
        let condition = if parser.eat_word("if") { Some(parser.expression()?) } else { None };
        parser.end()?;
        let (body, mut end) = self.block()?;
        let mut otherwise = Vec::new();
        if end.map(split) == Some(("else", "")) {
            (otherwise, end) = self.block()?;
        }
        expect_end(end, "endfor")?;
        Ok(Node::For(Box::new(Loop { variable, items, condition, body, otherwise })))
    }

    fn assignment(&mut self, text: &str) -> Result<Node> {
        let mut parser = Parser::new(text)?;
        let name = parser.name()?;
        let attribute = if parser.eat(".") { Some(parser.name()?) } else { None };
        if !parser.eat("=") {
            parser.end()?;
            let (body, end) = self.block()?;
            expect_end(end, "endset")?;
            return match attribute {
                None => Ok(Node::SetBlock(name, body)),
                Some(_) => Err(not_supported("a block sets an attribute")),
            };
        }
        let value = parser.expression()?;
        parser.end()?;
        Ok(Node::Set(name, attribute, value))
    }
}

/// Checks the statement that ends a block.
fn expect_end(found: Option<&str>, wanted: &str) -> Result<()> {
    match found {
        Some(text) if text == wanted => Ok(()),
        Some(text) => Err(not_supported(&format!("{:?} is not {wanted}", excerpt(text)))),
        None => Err(not_supported(&format!("a block has no {wanted}"))),
    }
}
