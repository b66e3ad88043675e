//! Parses the expressions inside tags.

use super::tokens::{Token, tokens};
use super::value::Value;
use super::{MAX_DEPTH, MAX_OPERATIONS, excerpt, not_supported};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) enum Expression {
    Literal(Value),
    Name(String),
    List(Vec<Expression>),
    Attribute(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
    /// Start, end and step.
    Slice(Box<Expression>, [Option<Box<Expression>>; 3]),
    Call(Box<Expression>, Arguments),
    Filter(Box<Expression>, String, Arguments),
    Test(Box<Expression>, String, Vec<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    /// The operator is one of Jinja's for two values.
    Binary(&'static str, Box<Expression>, Box<Expression>),
    /// Condition, value, and value otherwise.
    Conditional(Box<[Expression; 2]>, Option<Box<Expression>>),
}

#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Expression>,
    pub(super) named: Vec<(String, Expression)>,
}

/// A parser of expressions.
pub(super) struct Parser {
    tokens: std::vec::IntoIter<Token>,
    depth: usize,
    operations: usize,
}

/// Parses a text that is one expression.
///
/// # Errors
/// `unsupported` for anything outside the subset.
pub(super) fn parse(text: &str) -> Result<Expression> {
    let mut parser = Parser::new(text)?;
    let expression = parser.expression()?;
    parser.end()?;
    Ok(expression)
}

/// Makes an expression of two values.
fn binary(operator: &'static str, left: Expression, right: Expression) -> Expression {
    Expression::Binary(operator, Box::new(left), Box::new(right))
}

impl Parser {
    pub(super) fn new(text: &str) -> Result<Self> {
        Ok(Self { tokens: tokens(text)?.into_iter(), depth: 0, operations: 0 })
    }

    fn unexpected(&self) -> Error {
        let shown = match self.tokens.as_slice().first() {
            None => "the end of a tag".to_owned(),
            Some(Token::Name(name)) => excerpt(name),
            Some(Token::Text(text)) => format!("{:?}", excerpt(text)),
            Some(Token::Int(number)) => number.to_string(),
            Some(Token::Operator(operator)) => format!("{operator:?}"),
        };
        not_supported(&format!("{shown} is unexpected"))
    }

    /// Checks that nothing is left.
    pub(super) fn end(&self) -> Result<()> {
        if self.tokens.as_slice().is_empty() { Ok(()) } else { Err(self.unexpected()) }
    }

    fn eat_any(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let Some(Token::Operator(next)) = self.tokens.as_slice().first() else { return None };
        let operator = operators.iter().find(|operator| *operator == next).copied()?;
        self.tokens.next();
        Some(operator)
    }

    pub(super) fn eat(&mut self, operator: &'static str) -> bool {
        self.eat_any(&[operator]).is_some()
    }

    pub(super) fn expect(&mut self, operator: &'static str) -> Result<()> {
        if self.eat(operator) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.as_slice().first(), Some(Token::Name(name)) if name == word);
        if found {
            self.tokens.next();
        }
        found
    }

    pub(super) fn name(&mut self) -> Result<String> {
        match self.tokens.as_slice().first() {
            Some(Token::Name(name)) => {
                let name = name.clone();
                self.tokens.next();
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Counts an operation, which nests the expression by one.
    fn operation(&mut self) -> Result<()> {
        self.operations += 1;
        if self.operations > MAX_OPERATIONS {
            return Err(not_supported(&format!("an expression has more than {MAX_OPERATIONS} operations")));
        }
        Ok(())
    }

    /// Parses `a if b else c` and everything below it.
    pub(super) fn expression(&mut self) -> Result<Expression> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(not_supported("parentheses are nested too deeply"));
        }
        let mut value = self.or()?;
        while self.eat_word("if") {
            self.operation()?;
            let condition = self.or()?;
            let otherwise = if self.eat_word("else") { Some(Box::new(self.expression()?)) } else { None };
            value = Expression::Conditional(Box::new([condition, value]), otherwise);
        }
        self.depth -= 1;
        Ok(value)
    }

    /// Parses an expression without a condition behind it.
    pub(super) fn or(&mut self) -> Result<Expression> {
        let mut value = self.and()?;
        while self.eat_word("or") {
            self.operation()?;
            value = binary("or", value, self.and()?);
        }
        Ok(value)
    }

    fn and(&mut self) -> Result<Expression> {
        let mut value = self.not()?;
        while self.eat_word("and") {
            self.operation()?;
            value = binary("and", value, self.not()?);
        }
        Ok(value)
    }

    fn not(&mut self) -> Result<Expression> {
        if !self.eat_word("not") {
            return self.comparison();
        }
        self.operation()?;
        Ok(Expression::Not(Box::new(self.not()?)))
    }

    fn comparison(&mut self) -> Result<Expression> {
        let value = self.sum()?;
        let operator = match self.eat_any(&["==", "!=", "<", "<=", ">", ">="]) {
            Some(operator) => operator,
            None if self.eat_word("in") => "in",
            None => match self.tokens.as_slice() {
                [Token::Name(not), Token::Name(is_in), ..] if not == "not" && is_in == "in" => {
                    self.tokens.next();
                    self.tokens.next();
                    "not in"
                }
                _ => return Ok(value),
            },
        };
        self.operation()?;
        Ok(binary(operator, value, self.sum()?))
    }

    fn sum(&mut self) -> Result<Expression> {
        let mut value = self.joined()?;
        while let Some(operator) = self.eat_any(&["+", "-"]) {
            self.operation()?;
            value = binary(operator, value, self.joined()?);
        }
        Ok(value)
    }

    fn joined(&mut self) -> Result<Expression> {
        let mut value = self.product()?;
        while self.eat("~") {
            self.operation()?;
            value = binary("~", value, self.product()?);
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<Expression> {
        let mut value = self.unary()?;
        while let Some(operator) = self.eat_any(&["*", "//", "%"]) {
            self.operation()?;
            value = binary(operator, value, self.unary()?);
        }
        Ok(value)
    }

    fn unary(&mut self) -> Result<Expression> {
        if !self.eat("-") {
            let value = self.primary()?;
            return self.filtered(value);
        }
        self.operation()?;
        // A filter belongs to the value before the sign.
        let value = self.primary()?;
        let value = self.postfix(value)?;
        self.filtered(Expression::Negative(Box::new(value)))
    }

    fn primary(&mut self) -> Result<Expression> {
        if self.eat("(") {
            let value = self.expression()?;
            self.expect(")")?;
            return Ok(value);
        }
        if self.eat("[") {
            return Ok(Expression::List(self.items("]")?));
        }
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(Expression::Literal(Value::text(&text))),
            Some(Token::Int(number)) => Ok(Expression::Literal(Value::Int(number))),
            Some(Token::Name(name)) => Ok(match name.as_str() {
                "true" | "True" => Expression::Literal(Value::Bool(true)),
                "false" | "False" => Expression::Literal(Value::Bool(false)),
                "none" | "None" => Expression::Literal(Value::None),
                "and" | "or" | "not" | "if" | "else" | "in" | "is" => {
                    return Err(not_supported(&format!("{name} is unexpected")));
                }
                _ => Expression::Name(name),
            }),
            Some(Token::Operator(operator)) => Err(not_supported(&format!("{operator:?} is unexpected"))),
            None => Err(not_supported("a tag ends too early")),
        }
    }

    fn items(&mut self, close: &'static str) -> Result<Vec<Expression>> {
        let mut items = Vec::new();
        while !self.eat(close) {
            if !items.is_empty() {
                self.expect(",")?;
                if self.eat(close) {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        Ok(items)
    }

    /// Parses attributes, indices and calls after a value.
    fn postfix(&mut self, mut value: Expression) -> Result<Expression> {
        loop {
            if self.eat(".") {
                value = Expression::Attribute(Box::new(value), self.name()?);
            } else if self.eat("[") {
                value = self.subscript(value)?;
            } else if self.eat("(") {
                value = Expression::Call(Box::new(value), self.arguments()?);
            } else {
                return Ok(value);
            }
            self.operation()?;
        }
    }

    /// Parses attributes, filters and tests after a value.
    fn filtered(&mut self, value: Expression) -> Result<Expression> {
        let mut value = self.postfix(value)?;
        loop {
            if self.eat("|") {
                let name = self.name()?;
                let arguments = if self.eat("(") { self.arguments()? } else { Arguments::default() };
                value = Expression::Filter(Box::new(value), name, arguments);
            } else if self.eat_word("is") {
                let is_negated = self.eat_word("not");
                let name = self.name()?;
                let arguments = if self.eat("(") { self.items(")")? } else { Vec::new() };
                value = Expression::Test(Box::new(value), name, arguments);
                if is_negated {
                    value = Expression::Not(Box::new(value));
                }
            } else {
                return Ok(value);
            }
            value = self.postfix(value)?;
            self.operation()?;
        }
    }

    fn subscript(&mut self, value: Expression) -> Result<Expression> {
        let mut parts = [const { None }; 3];
        let mut part = 0;
        while !self.eat("]") {
            if self.eat(":") {
                part += 1;
                if part > 2 {
                    return Err(self.unexpected());
                }
            } else if parts[part].is_none() {
                parts[part] = Some(Box::new(self.expression()?));
            } else {
                return Err(self.unexpected());
            }
        }
        match (part, parts) {
            (0, [Some(index), None, None]) => Ok(Expression::Index(Box::new(value), index)),
            (0, _) => Err(not_supported("an index is empty")),
            (_, parts) => Ok(Expression::Slice(Box::new(value), parts)),
        }
    }

    fn arguments(&mut self) -> Result<Arguments> {
        let mut arguments = Arguments::default();
        let mut is_first = true;
        while !self.eat(")") {
            if !is_first {
                self.expect(",")?;
                if self.eat(")") {
                    break;
                }
            }
            is_first = false;
            match self.tokens.as_slice() {
                [Token::Name(name), Token::Operator("="), ..] => {
                    let name = name.clone();
                    self.tokens.next();
                    self.tokens.next();
                    arguments.named.push((name, self.expression()?));
                }
                _ => arguments.positional.push(self.expression()?),
            }
        }
        Ok(arguments)
    }
}
