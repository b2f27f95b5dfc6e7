//! YAML as a tree that remembers lines, styles and duplicate keys.
