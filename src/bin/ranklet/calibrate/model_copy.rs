//! Writes a model with a calibration: a new `config.json`, and the other files as hard links where the system allows
//! it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ranklet::{Calibration, Error, ErrorKind, ModelFiles, Result, model_folder};
use serde_json::{Number, Value};

use crate::args::ModelLocation;

const CONFIG: &str = "config.json";
/// Folders inside folders of a model. Modules and ONNX files are in the first.
const MAX_DEPTH: usize = 4;

/// Checks that a folder can be written, before anything takes long.
///
/// # Errors
/// `input` for a file with its name.
pub(super) fn check_folder(out: &Path) -> Result<()> {
    if out.is_file() {
        return Err(failed(out, "is a file: --out names a folder"));
    }
    Ok(())
}

/// Writes a model into a folder. In the model's own folder only `config.json` changes.
///
/// # Errors
/// `input` for a folder that cannot be written.
pub(super) fn write(model: &ModelLocation, calibration: Calibration, out: &Path) -> Result<()> {
    fs::create_dir_all(out).map_err(|error| failed(out, error))?;
    let config = match model {
        ModelLocation::Folder(folder) => {
            let model = &model_folder(folder)?;
            let path = model.join(CONFIG);
            let config = fs::read(&path).map_err(|error| failed(&path, error))?;
            let out = out.canonicalize().map_err(|error| failed(out, error))?;
            if model.canonicalize().ok().as_ref() != Some(&out) {
                link_files(model, &out, &out, 0)?;
            }
            config
        }
        ModelLocation::Embedded(files) => {
            for (name, bytes) in files.iter().filter(|(name, _)| *name != CONFIG) {
                replace(&out.join(name), |path| fs::write(path, bytes))?;
            }
            files.get(CONFIG).unwrap_or_default().to_vec()
        }
    };
    let config = with_calibration(config, calibration)?;
    replace(&out.join(CONFIG), |path| fs::write(path, config))
}

/// Links the files of a folder, and of the folders in it, into another one. Hidden ones, `config.json` of the model and
/// the target itself are left out.
fn link_files(from: &Path, to: &Path, target: &Path, depth: usize) -> Result<()> {
    for entry in fs::read_dir(from).map_err(|error| failed(from, error))? {
        let entry = entry.map_err(|error| failed(from, error))?;
        let (name, path) = (entry.file_name(), entry.path());
        let is_config = depth == 0 && name == CONFIG;
        if is_config || name.to_string_lossy().starts_with('.') {
            continue;
        }
        // The cache of the Hub has symbolic links to its files.
        let path = path.canonicalize().map_err(|error| failed(&path, error))?;
        let copy = to.join(&name);
        if path.is_file() {
            replace(&copy, |copy| match fs::hard_link(&path, copy) {
                Ok(()) => Ok(()),
                Err(_) => fs::copy(&path, copy).map(|_| ()),
            })?;
        } else if path.is_dir() && path != target && depth < MAX_DEPTH {
            fs::create_dir_all(&copy).map_err(|error| failed(&copy, error))?;
            link_files(&path, &copy, target, depth + 1)?;
        }
    }
    Ok(())
}

/// Writes a file under another name first, so that a file that exists is replaced as a whole, and other links to it keep
/// their content.
fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let result = write(&temporary).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result.map_err(|error| failed(path, error))
}

/// Sets the calibration in the bytes of `config.json`.
fn with_calibration(config: Vec<u8>, calibration: Calibration) -> Result<Vec<u8>> {
    let number = |number: f32| Number::from_f64(number.to_string().parse().ok()?).map(Value::Number);
    let Calibration { scale, offset } = calibration;
    let calibration = serde_json::json!({ "scale": number(scale), "offset": number(offset) });
    let mut files = ModelFiles::new();
    files.insert(CONFIG, config);
    files.set_ranklet_field("calibration", calibration.into())?;
    Ok(files.take(CONFIG).unwrap_or_default().into_owned())
}

fn failed(path: &Path, problem: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Input, format!("{}: {problem}", path.display()))
}
