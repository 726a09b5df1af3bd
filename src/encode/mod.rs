//! From the features of a table to the numbers of a matrix, remembered by the model.
