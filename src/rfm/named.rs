//! The named maps that are in wide use and hold together.

use super::grid::Grid;
use super::map::SegmentMap;

/// Eleven names for the codes 111 to 555, best first.
const ELEVEN: [(&str, &[u32]); 11] = [
    ("Champions", &[555, 554, 544, 545, 454, 455, 445]),
    ("Loyal", &[543, 444, 435, 355, 354, 345, 344, 335]),
    (
        "Potential Loyalist",
        &[
            553, 551, 552, 541, 542, 533, 532, 531, 452, 451, 442, 441, 431, 453, 433,
            432, 423, 353, 352, 351, 342, 341, 333, 323,
        ],
    ),
    ("New Customers", &[512, 511, 422, 421, 412, 411, 311]),
    (
        "Promising",
        &[525, 524, 523, 522, 521, 515, 514, 513, 425, 424, 413, 414, 415, 315, 314, 313],
    ),
    ("Need Attention", &[535, 534, 443, 434, 343, 334, 325, 324]),
    ("About To Sleep", &[331, 321, 312, 221, 213, 231, 241, 251]),
    (
        "At Risk",
        &[
            255, 254, 245, 244, 253, 252, 243, 242, 235, 234, 225, 224, 153, 152, 145,
            143, 142, 135, 134, 133, 125, 124,
        ],
    ),
    ("Cannot Lose Them", &[155, 154, 144, 214, 215, 115, 114, 113]),
    ("Hibernating", &[332, 322, 233, 232, 223, 222, 132, 123, 122, 212, 211]),
    ("Lost", &[111, 112, 121, 131, 141, 151]),
];

/// Ten names for the codes 11 to 55 of recency and frequency, best first.
const TEN: [(&str, &[u32]); 10] = [
    ("Champions", &[54, 55]),
    ("Loyal", &[34, 35, 44, 45]),
    ("Potential Loyalist", &[42, 43, 52, 53]),
    ("New", &[51]),
    ("Promising", &[41]),
    ("Need Attention", &[33]),
    ("About To Sleep", &[31, 32]),
    ("At Risk", &[13, 14, 23, 24]),
    ("Can't Lose", &[15, 25]),
    ("Hibernating", &[11, 12, 21, 22]),
];

impl SegmentMap {
    /// Eleven names for all 125 cells of quintiles: Champions, Loyal, Potential Loyalist,
    /// New Customers, Promising, Need Attention, About To Sleep, At Risk, Cannot Lose
    /// Them, Hibernating, Lost.
    ///
    /// The list is published by Bloomreach and by many others. It is total and disjoint,
    /// but a better score does not always lead to a better name: from 151, the most
    /// frequent of the least recent, is `Lost`. [`audit`](SegmentMap::audit) lists those
    /// steps.
    #[must_use]
    pub fn eleven_segments() -> SegmentMap {
        SegmentMap::trusted(Grid::rfm(5), &ELEVEN)
    }

    /// Ten names for the 25 cells of quintiles of recency and frequency, in the layout
    /// attributed to CleverTap: Champions, Loyal, Potential Loyalist, New, Promising, Need
    /// Attention, About To Sleep, At Risk, Can't Lose, Hibernating.
    ///
    /// | R \ F | 1 | 2 | 3 | 4 | 5 |
    /// |---|---|---|---|---|---|
    /// | 5 | New | Potential Loyalist | Potential Loyalist | Champions | Champions |
    /// | 4 | Promising | Potential Loyalist | Potential Loyalist | Loyal | Loyal |
    /// | 3 | About To Sleep | About To Sleep | Need Attention | Loyal | Loyal |
    /// | 2 | Hibernating | Hibernating | At Risk | At Risk | Can't Lose |
    /// | 1 | Hibernating | Hibernating | At Risk | At Risk | Can't Lose |
    #[must_use]
    pub fn rf_grid() -> SegmentMap {
        SegmentMap::trusted(Grid::rf(5), &TEN)
    }
}
