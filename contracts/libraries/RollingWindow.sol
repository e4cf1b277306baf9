// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice Sum over the last 24 hours, kept in buckets of three hours. It looks back over the running bucket and the eight before
/// it, so it covers at least 24 hours and at most 27: a cap on it is never exceeded in any 24 hours.
library RollingWindow {
    uint256 private constant BUCKET = 3 hours;
    uint256 private constant BUCKETS = 9;

    struct Window {
        mapping(uint256 bucket => uint256) sums;
    }

    function sum(Window storage w) internal view returns (uint256 total) {
        uint256 bucket = block.timestamp / BUCKET;
        for (uint256 i = 0; i < BUCKETS; ++i) total += w.sums[bucket - i];
    }

    function add(Window storage w, uint256 amount) internal {
        w.sums[block.timestamp / BUCKET] += amount;
    }
}
