// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice One metadata key and value of an identity (ERC-8004).
struct MetadataEntry {
    string metadataKey;
    bytes metadataValue;
}
