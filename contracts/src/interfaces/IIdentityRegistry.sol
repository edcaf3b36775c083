// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {MetadataEntry} from "../types/MetadataEntry.sol";

/// @notice ERC-8004 identity registry (contracts 2.0.0): one ERC-721 token per agent. A knet node is an agent.
/// @dev Ids count from 1. A transfer clears the agent wallet, so that a former owner's key does not sign for the agent.
interface IIdentityRegistry is IERC721 {
    /// @notice Emitted when an agent is registered.
    /// @param agentId The new agent.
    /// @param agentURI URI of its registration file; may be empty.
    /// @param owner The account that registered it.
    event Registered(uint256 indexed agentId, string agentURI, address indexed owner);
    /// @notice Emitted when the URI of a registration file changes.
    /// @param agentId The agent.
    /// @param newURI The URI from now on.
    /// @param updatedBy The account that changed it.
    event URIUpdated(uint256 indexed agentId, string newURI, address indexed updatedBy);
    /// @notice Emitted when a metadata value changes.
    /// @param agentId The agent.
    /// @param indexedMetadataKey The key, as an indexed topic.
    /// @param metadataKey The key.
    /// @param metadataValue The value from now on.
    event MetadataSet(
        uint256 indexed agentId, string indexed indexedMetadataKey, string metadataKey, bytes metadataValue
    );

    /// @notice Thrown when the caller is neither owner of the agent nor approved for it.
    /// @param agentId The agent.
    /// @param caller The account that called.
    error NotAuthorized(uint256 agentId, address caller);
    /// @notice Thrown when a call sets the metadata key that only `setAgentWallet` changes.
    /// @param metadataKey The reserved key.
    error ReservedMetadataKey(string metadataKey);
    /// @notice Thrown when a registration carries too many metadata entries.
    /// @param count Entries of the registration.
    /// @param maximum Most entries of one registration.
    error TooManyMetadataEntries(uint256 count, uint256 maximum);
    /// @notice Thrown when the new agent wallet is the zero address; see `unsetAgentWallet`.
    /// @param agentId The agent.
    error ZeroWallet(uint256 agentId);
    /// @notice Thrown when the wallet's consent has expired.
    /// @param deadline Unix seconds until which the consent was valid.
    /// @param time Unix seconds of this block.
    error DeadlinePassed(uint256 deadline, uint256 time);
    /// @notice Thrown when the wallet's consent would be valid for too long.
    /// @param deadline Unix seconds until which the consent is valid.
    /// @param latest Latest deadline that is accepted in this block.
    error DeadlineTooFar(uint256 deadline, uint256 latest);
    /// @notice Thrown when the signature is not the new wallet's consent to act for this agent under this owner.
    /// @param agentId The agent.
    /// @param newWallet The wallet that should have signed.
    error InvalidWalletSignature(uint256 agentId, address newWallet);

    /// @notice Register the caller as owner and agent wallet of a new agent without a URI.
    function register() external returns (uint256 agentId);

    /// @notice Register the caller as owner and agent wallet of a new agent.
    /// @param agentURI URI of the registration file.
    function register(string calldata agentURI) external returns (uint256 agentId);

    /// @notice Register the caller as owner and agent wallet of a new agent with metadata.
    /// @param agentURI URI of the registration file.
    /// @param metadata Entries to set; the reserved key `agentWallet` is refused.
    function register(string calldata agentURI, MetadataEntry[] calldata metadata) external returns (uint256 agentId);

    /// @notice Replace the URI of the registration file. For the owner and approved accounts.
    /// @param agentId The agent.
    /// @param newURI The URI from now on.
    function setAgentURI(uint256 agentId, string calldata newURI) external;

    /// @notice Set one metadata value. For the owner and approved accounts; the key `agentWallet` is reserved.
    /// @param agentId The agent.
    /// @param metadataKey The key.
    /// @param metadataValue The value from now on.
    function setMetadata(uint256 agentId, string calldata metadataKey, bytes calldata metadataValue) external;

    /// @notice Return one metadata value, empty if it was never set. `agentWallet` gives the 20 bytes of the wallet.
    /// @param agentId The agent.
    /// @param metadataKey The key.
    function getMetadata(uint256 agentId, string calldata metadataKey) external view returns (bytes memory);

    /// @notice Make a wallet act for the agent. For the owner and approved accounts.
    /// @param agentId The agent.
    /// @param newWallet The wallet from now on.
    /// @param deadline Unix seconds, at most five minutes ahead.
    /// @param signature The new wallet's consent, EIP-712 or ERC-1271, over
    /// `AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)` in the domain
    /// `("ERC8004IdentityRegistry", "1")`.
    function setAgentWallet(uint256 agentId, address newWallet, uint256 deadline, bytes calldata signature) external;

    /// @notice Leave the agent without a wallet, for instance when its key is lost. For the owner and approved accounts.
    /// @param agentId The agent.
    function unsetAgentWallet(uint256 agentId) external;

    /// @notice Return the wallet that signs for the agent; zero if it has none.
    /// @param agentId The agent.
    function getAgentWallet(uint256 agentId) external view returns (address);

    /// @notice Return true if an account owns the agent or is approved for it. Reverts if there is no such agent.
    /// @param spender The account.
    /// @param agentId The agent.
    function isAuthorizedOrOwner(address spender, uint256 agentId) external view returns (bool);

    /// @notice Version of the ERC-8004 contracts that define this ABI.
    function getVersion() external pure returns (string memory);
}
