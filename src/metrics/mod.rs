//! Is this a good segmentation?
