//! Calibration: Platt's fit, expected calibration errors, probabilities, and files with a bad calibration.

use ranklet::eval::{expected_calibration_error, fit_calibration};
use ranklet::{Calibration, ErrorKind, ModelFiles, Scores};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cases;
use crate::common::{fixture, load};

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    logits: Vec<f32>,
    relevant: Vec<f64>,
    scale: f64,
    offset: f64,
    error_before: f64,
    error_after: f64,
}

#[test]
fn fits_and_errors_are_those_of_scipy_and_scikit_learn() {
    for case in cases::<Case>("calibrations") {
        let found = fit_calibration(&case.logits, &case.relevant).unwrap();
        for (found, expected) in [(found.scale, case.scale), (found.offset, case.offset)] {
            let difference = (f64::from(found) - expected).abs();
            assert!(difference <= 1e-6 * expected.abs().max(1.0), "{}: {found}, not {expected}", case.name);
        }
        for (calibration, expected) in [(Calibration::SIGMOID, case.error_before), (found, case.error_after)]
        {
            let error = expected_calibration_error(&calibration, &case.logits, &case.relevant).unwrap();
            assert!((error - expected).abs() <= 1e-5, "{}: {error}, not {expected}", case.name);
        }
    }
}

#[test]
fn judgments_that_no_calibration_fits_are_refused() {
    for (logits, relevant, message) in [
        (vec![1.0, 2.0], vec![1.0], "2 logits, but 1 judgments"),
        (vec![1.0, f32::NAN], vec![1.0, 0.0], "logit 1 is NaN"),
        (vec![1.0, f32::INFINITY], vec![1.0, 0.0], "logit 1 is inf"),
        (vec![1.0, 2.0], vec![1.0, 1.5], "the judgment 1.5 is not a number from 0 to 1"),
        (vec![1.0, 2.0], vec![1.0, f64::NAN], "the judgment NaN"),
        (vec![1.0, 2.0], vec![1.0, 1.0], "all judged documents are relevant"),
        (vec![1.0, 2.0], vec![0.0, 0.0], "all judged documents are not relevant"),
        (vec![], vec![], "needs judgments of both kinds"),
        (vec![2.0, 2.0], vec![0.0, 1.0], "the same score"),
    ] {
        let error = fit_calibration(&logits, &relevant).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        assert!(error.context().contains(message), "{error}");
    }
    // The largest logits that there are.
    let calibration = fit_calibration(&[f32::MAX, f32::MIN, 0.0], &[1.0, 0.0, 0.0]).unwrap();
    assert!(calibration.scale > 0.0);
}

fn with_calibration(name: &str, calibration: Value) -> ModelFiles {
    let mut files = fixture(name).files();
    let mut config: Value = serde_json::from_slice(files.get("config.json").unwrap()).unwrap();
    config["ranklet"] = calibration;
    files.insert("config.json", config.to_string().into_bytes());
    files
}

#[test]
fn probabilities_are_sigmoids_of_scaled_logits() {
    let fixture = fixture("bert-gelu-h36");
    let calibration = Calibration { scale: 3.5, offset: -0.75 };
    let files = with_calibration(&fixture.name, json!({ "calibration": calibration, "other": 1 }));
    let reranker = load(files).unwrap();
    assert_eq!(reranker.info().calibration, Some(calibration));
    let score = |scores| reranker.score_blocking(&fixture.expected.pairs, scores).unwrap();
    for (probability, logit) in score(Scores::Probability).into_iter().zip(score(Scores::Raw)) {
        let expected = 1.0 / (1.0 + (-(3.5 * f64::from(logit) - 0.75)).exp());
        assert!((f64::from(probability) - expected).abs() < 1e-6, "{probability}, not {expected}");
        assert!((calibration.probability(logit) - expected).abs() < 1e-12);
    }
}

#[test]
fn a_model_without_a_calibration_has_no_probabilities() {
    for nothing in [json!(null), json!({}), json!({ "calibration": null })] {
        let reranker = load(with_calibration("bert-gelu-h36", nothing)).unwrap();
        assert_eq!(reranker.info().calibration, None);
        let error = reranker.score_blocking(&[("a", "b")], Scores::Probability).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.context().contains("ranklet calibrate"), "{error}");
    }
}

#[test]
fn a_bad_calibration_in_the_configuration_is_refused() {
    let good = json!({ "scale": 1.5, "offset": 0 });
    assert!(load(with_calibration("bert-gelu-h36", json!({ "calibration": good }))).is_ok());
    let with = |name: &str, value: Value| {
        let mut calibration = good.clone();
        calibration[name] = value;
        json!({ "calibration": calibration })
    };
    for (content, kind, message) in [
        (json!([1]), ErrorKind::Config, "ranklet is [1], not an object"),
        (json!({ "calibration": 3 }), ErrorKind::Config, "calibration is 3, not an object"),
        (json!({ "calibration": {} }), ErrorKind::Config, "scale is not a number"),
        (with("scale", json!(null)), ErrorKind::Config, "scale is not a number"),
        (with("scale", json!("1")), ErrorKind::Config, "scale is \"1\", not a number"),
        (with("scale", json!(1e39)), ErrorKind::Config, "scale is not a number that fits in f32"),
        (with("offset", json!(-1e300)), ErrorKind::Config, "offset is not a number that fits in f32"),
        (with("scale", json!(0)), ErrorKind::Config, "scale is not above 0"),
        (with("scale", json!(1e-60)), ErrorKind::Config, "scale is not above 0"),
        (with("scale", json!(-2)), ErrorKind::Config, "scale is not above 0"),
        (with("temperature", json!(2)), ErrorKind::Unsupported, "temperature"),
    ] {
        let error = load(with_calibration("bert-gelu-h36", content.clone())).unwrap_err();
        assert_eq!(error.kind(), kind, "{content}: {error}");
        assert!(
            error.context().contains(message) && error.context().contains("config.json"),
            "{content}: {error}"
        );
    }
    let error = load(with_calibration("bert-labels3-cjk-h60", json!({ "calibration": good }))).unwrap_err();
    assert!(error.context().contains("3 labels"), "{error}");
}
