//! Secret references and envelope encryption
