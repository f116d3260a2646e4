//! Streams of revisions and content-addressed blobs
