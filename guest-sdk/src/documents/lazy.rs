//! A part of a document that is read when it is asked for.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};

use crate::{Error, Json};

/// A part of a document, kept as JSON until somebody reads it.
pub struct Lazy<T> {
    json: Option<Json>,
    shape: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lazy<T> {
    /// Reads it; none where the document has nothing there, or `null`.
    ///
    /// # Errors
    /// When it has not the documented shape.
    pub fn read(&self) -> Result<Option<T>, Error> {
        self.json.as_ref().map(Json::parse).transpose()
    }
}

impl<T> Lazy<T> {
    /// It as JSON; none where the document has nothing there, or `null`.
    pub fn json(&self) -> Option<&Json> {
        self.json.as_ref()
    }
}

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self {
            json: None,
            shape: PhantomData,
        }
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        Self {
            json: self.json.clone(),
            shape: PhantomData,
        }
    }
}

impl<T> PartialEq for Lazy<T> {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json.fmt(formatter)
    }
}

impl<'de, T> Deserialize<'de> for Lazy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            json: Option::deserialize(deserializer)?,
            shape: PhantomData,
        })
    }
}
