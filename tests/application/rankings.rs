//! Fusion with a first stage, minimum scores and numbers of results.

use ranklet::{ErrorKind, Fuse, FuseMethod, Selection};
use serde::Deserialize;
use serde_json::Value;

use crate::cases;

#[derive(Debug, Deserialize)]
struct Case {
    scores: Vec<f32>,
    fuse: Option<FuseCase>,
    min_score: Option<f64>,
    top_n: Option<usize>,
    results: Vec<ResultCase>,
}

#[derive(Debug, Deserialize)]
struct FuseCase {
    first_stage: Vec<Option<f64>>,
    method: String,
    k: Option<f64>,
    weight: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct ResultCase {
    index: usize,
    score: f64,
    model_score: Option<f32>,
}

impl FuseCase {
    fn method(&self) -> FuseMethod {
        FuseMethod::named(&self.method, self.k, self.weight).unwrap()
    }
}

#[test]
fn zeros_of_both_signs_are_equal_and_keep_input_order() {
    let ranked = Selection::default().rank(&[Some(-0.0), Some(0.0), Some(-0.0), Some(1.0)]).unwrap();
    assert_eq!(ranked.iter().map(|ranked| ranked.index).collect::<Vec<_>>(), [3, 0, 1, 2]);
}

#[test]
fn rankings_are_those_of_the_formulas() {
    for case in cases::<Case>("rankings") {
        let fuse =
            case.fuse.as_ref().map(|fuse| Fuse { first_stage: &fuse.first_stage, method: fuse.method() });
        let selection = Selection { top_n: case.top_n, min_score: case.min_score, fuse };
        let scores: Vec<Option<f32>> = case.scores.iter().copied().map(Some).collect();
        let results = selection.rank(&scores).unwrap();
        let indices = |rows: Vec<usize>| rows;
        assert_eq!(
            indices(results.iter().map(|result| result.index).collect()),
            indices(case.results.iter().map(|result| result.index).collect()),
            "{case:?}"
        );
        for (result, expected) in results.iter().zip(&case.results) {
            assert!((f64::from(result.score) - expected.score).abs() < 1e-6, "{case:?}");
            assert_eq!(result.model_score, expected.model_score, "{case:?}");
        }
    }
}

#[test]
fn fusions_that_make_no_sense_are_refused() {
    for (fusion, word) in cases::<(Value, String)>("refused_fusions") {
        let number = |name: &str| fusion.get(name).map(|value| value.as_f64().ok_or(()));
        let first_stage: Option<Vec<Option<f64>>> =
            fusion.get("first_stage").and_then(|scores| serde_json::from_value(scores.clone()).ok());
        let (Some(first_stage), Some(method)) = (first_stage, fusion.get("method").and_then(Value::as_str))
        else {
            // Rust's types exclude it.
            continue;
        };
        let (Ok(k), Ok(weight)) = (number("k").transpose(), number("weight").transpose()) else { continue };
        let refused = FuseMethod::named(method, k, weight).and_then(|method| {
            let fuse = Some(Fuse { first_stage: &first_stage, method });
            Selection { fuse, ..Selection::default() }.rank(&[Some(1.0), Some(2.0)])
        });
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        assert!(error.context().contains(&word), "{error}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let rank = |selection: Selection| selection.rank(&[Some(1.0)]).unwrap_err();
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = rank(Selection { min_score: Some(number), ..Selection::default() });
        assert!(error.context().contains("minimum score"), "{error}");
        for method in [FuseMethod::Rrf { k: 60.0 }, FuseMethod::Linear { weight: 0.5 }] {
            let fuse = Some(Fuse { first_stage: &[Some(number)], method });
            let error = rank(Selection { fuse, ..Selection::default() });
            assert!(error.context().contains("document 0"), "{error}");
        }
        for method in [FuseMethod::Rrf { k: number }, FuseMethod::Linear { weight: number }] {
            let fuse = Some(Fuse { first_stage: &[Some(1.0)], method });
            rank(Selection { fuse, ..Selection::default() });
        }
    }
}

#[test]
fn scores_that_are_no_numbers_are_refused() {
    let first_stage = [Some(1.0); 3];
    for method in [None, Some(FuseMethod::Rrf { k: 60.0 }), Some(FuseMethod::Linear { weight: 0.5 })] {
        let fuse = method.map(|method| Fuse { first_stage: &first_stage, method });
        let error =
            Selection { fuse, ..Selection::default() }.rank(&[Some(1.0), None, Some(f32::NAN)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.context().contains("document 2"), "{error}");
    }
}

#[test]
fn a_first_stage_ranks_zeros_of_both_signs_in_input_order() {
    let fuse = Fuse { first_stage: &[Some(-0.0), Some(0.0)], method: FuseMethod::Rrf { k: 0.0 } };
    let results = Selection { fuse: Some(fuse), ..Selection::default() }.rank(&[Some(0.5); 2]).unwrap();
    assert_eq!(results.iter().map(|result| result.score).collect::<Vec<_>>(), [2.0, 1.0]);
}

#[test]
fn documents_without_a_score_are_left_out_and_do_not_change_the_ranks_of_the_model() {
    let fuse = Fuse { first_stage: &[Some(1.0), Some(3.0), Some(2.0)], method: FuseMethod::Rrf { k: 0.0 } };
    let selection = Selection { fuse: Some(fuse), ..Selection::default() };
    let results = selection.rank(&[Some(0.5), None, Some(0.7)]).unwrap();
    let found: Vec<(usize, f32)> = results.iter().map(|result| (result.index, result.score)).collect();
    assert_eq!(found, [(2, 1.0 + 0.5), (0, (0.5f64 + 1.0 / 3.0) as f32)]);
}

#[test]
fn the_largest_numbers_are_normalized() {
    let first_stage = [Some(f64::MAX), Some(f64::MIN), Some(0.0)];
    let fuse = Some(Fuse { first_stage: &first_stage, method: FuseMethod::Linear { weight: 0.0 } });
    let results = Selection { fuse, ..Selection::default() }.rank(&[Some(1.0); 3]).unwrap();
    let found: Vec<(usize, f32)> = results.iter().map(|result| (result.index, result.score)).collect();
    assert_eq!(found, [(0, 1.0), (2, 0.5), (1, 0.0)]);
}
