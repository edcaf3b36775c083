// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {MetadataEntry} from "../types/MetadataEntry.sol";

/// @notice ERC-8004 identity registry (contracts 2.0.0): one ERC-721 token per agent; a knet node is an agent.
/// @dev Ids count from 1. A transfer clears the agent wallet, so that nobody signs for what is no longer theirs.
interface IIdentityRegistry is IERC721 {
    event Registered(uint256 indexed agentId, string agentURI, address indexed owner);
    event URIUpdated(uint256 indexed agentId, string newURI, address indexed updatedBy);
    event MetadataSet(
        uint256 indexed agentId, string indexed indexedMetadataKey, string metadataKey, bytes metadataValue
    );

    /// @notice The caller is neither owner nor approved for the agent.
    error NotAuthorized(uint256 agentId, address caller);
    /// @notice The key is kept by the registry itself; the wallet changes through `setAgentWallet`.
    error ReservedMetadataKey(string metadataKey);
    /// @notice More metadata entries than one registration may carry.
    error TooManyMetadataEntries(uint256 count, uint256 maximum);
    /// @notice The zero address cannot be an agent wallet; see `unsetAgentWallet`.
    error ZeroWallet(uint256 agentId);
    /// @notice The wallet's consent is no longer valid.
    error DeadlinePassed(uint256 deadline, uint256 time);
    /// @notice The wallet's consent would be valid for too long.
    error DeadlineTooFar(uint256 deadline, uint256 latest);
    /// @notice The signature is not the new wallet's consent to act for this agent under this owner.
    error InvalidWalletSignature(uint256 agentId, address newWallet);

    /// @notice Register the caller as owner and agent wallet of a new agent without a URI.
    function register() external returns (uint256 agentId);

    /// @notice Register the caller as owner and agent wallet of a new agent.
    function register(string calldata agentURI) external returns (uint256 agentId);

    /// @notice Register with metadata. The reserved key `agentWallet` is refused.
    function register(string calldata agentURI, MetadataEntry[] calldata metadata) external returns (uint256 agentId);

    /// @notice Replace the URI of the registration file. Owner or approved.
    function setAgentURI(uint256 agentId, string calldata newURI) external;

    /// @notice Set one metadata value. Owner or approved; the key `agentWallet` is reserved.
    function setMetadata(uint256 agentId, string calldata metadataKey, bytes calldata metadataValue) external;

    /// @notice One metadata value, empty if never set. `agentWallet` gives the 20 bytes of the wallet.
    function getMetadata(uint256 agentId, string calldata metadataKey) external view returns (bytes memory);

    /// @notice Make `newWallet` act for the agent. Owner or approved.
    /// @param deadline Unix seconds, at most five minutes ahead.
    /// @param signature The new wallet's consent, EIP-712 or ERC-1271, over
    /// `AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)` in the domain
    /// `("ERC8004IdentityRegistry", "1")`.
    function setAgentWallet(uint256 agentId, address newWallet, uint256 deadline, bytes calldata signature) external;

    /// @notice Leave the agent without a wallet, for instance when its key is lost. Owner or approved.
    function unsetAgentWallet(uint256 agentId) external;

    /// @notice The wallet that signs for the agent; zero if it has none.
    function getAgentWallet(uint256 agentId) external view returns (address);

    /// @notice Whether `spender` owns the agent or is approved for it. Reverts if there is no such agent.
    function isAuthorizedOrOwner(address spender, uint256 agentId) external view returns (bool);

    /// @notice Version of the ERC-8004 contracts whose ABI this is.
    function getVersion() external pure returns (string memory);
}
