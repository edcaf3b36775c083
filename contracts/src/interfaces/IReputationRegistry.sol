// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice ERC-8004 reputation registry (contracts 2.0.0): what clients say of agents, one by one, in the open.
/// @dev Indexes count from 1 for each agent and client. The views loop over what they are asked for: they are meant for
/// `eth_call`. Nothing here needs a receipt or a bond, so nothing in knet ranks by it: it is for tools that read ERC-8004.
interface IReputationRegistry {
    event NewFeedback(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        int128 value,
        uint8 valueDecimals,
        string indexed indexedTag1,
        string tag1,
        string tag2,
        string endpoint,
        string feedbackURI,
        bytes32 feedbackHash
    );
    event FeedbackRevoked(uint256 indexed agentId, address indexed clientAddress, uint64 indexed feedbackIndex);
    event ResponseAppended(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        address indexed responder,
        string responseURI,
        bytes32 responseHash
    );

    /// @notice More decimal places than `maximum`.
    error TooManyDecimals(uint8 valueDecimals, uint8 maximum);
    /// @notice The value is beyond 1e38 either way.
    error ValueTooLarge(int128 value, int128 maximum);
    /// @notice Owner and operators of an agent cannot rate it.
    error SelfFeedback(uint256 agentId, address clientAddress);
    /// @notice This client gave the agent no feedback with that index.
    error NoSuchFeedback(uint256 agentId, address clientAddress, uint64 feedbackIndex, uint64 lastIndex);
    /// @notice The feedback was revoked before.
    error AlreadyRevoked(uint256 agentId, address clientAddress, uint64 feedbackIndex);
    /// @notice A response without a URI says nothing.
    error EmptyResponse(uint256 agentId);
    /// @notice A summary must name its clients: over everybody it would count identities, which are free.
    error NoClients(uint256 agentId);

    /// @notice Give feedback. Endpoint, URI and hash are emitted, not stored.
    function giveFeedback(
        uint256 agentId,
        int128 value,
        uint8 valueDecimals,
        string calldata tag1,
        string calldata tag2,
        string calldata endpoint,
        string calldata feedbackURI,
        bytes32 feedbackHash
    ) external;

    /// @notice Revoke one's own feedback; it stays readable.
    function revokeFeedback(uint256 agentId, uint64 feedbackIndex) external;

    /// @notice Respond to anybody's feedback; anybody may.
    function appendResponse(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        string calldata responseURI,
        bytes32 responseHash
    ) external;

    /// @notice Count and mean of what some clients said and did not revoke; an empty tag matches every tag.
    /// @dev The mean has as many decimal places as most of the values (the fewest of several), and is truncated towards 0.
    function getSummary(uint256 agentId, address[] calldata clientAddresses, string calldata tag1, string calldata tag2)
        external
        view
        returns (uint64 count, int128 summaryValue, uint8 summaryValueDecimals);

    /// @notice One feedback.
    function readFeedback(uint256 agentId, address clientAddress, uint64 feedbackIndex)
        external
        view
        returns (int128 value, uint8 valueDecimals, string memory tag1, string memory tag2, bool isRevoked);

    /// @notice All feedback of some clients, or of everybody if none is named.
    function readAllFeedback(
        uint256 agentId,
        address[] calldata clientAddresses,
        string calldata tag1,
        string calldata tag2,
        bool includeRevoked
    )
        external
        view
        returns (
            address[] memory clients,
            uint64[] memory feedbackIndexes,
            int128[] memory values,
            uint8[] memory valueDecimals,
            string[] memory tag1s,
            string[] memory tag2s,
            bool[] memory revokedStatuses
        );

    /// @notice How many responses there are: by some responders (none named: by anybody), to one feedback (index 0: to all
    /// of the client's), of one client (zero address: of every client).
    function getResponseCount(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        address[] calldata responders
    ) external view returns (uint64 count);

    /// @notice Everybody who gave the agent feedback, in the order of their first.
    function getClients(uint256 agentId) external view returns (address[] memory);

    /// @notice How many feedbacks a client gave an agent.
    function getLastIndex(uint256 agentId, address clientAddress) external view returns (uint64);

    /// @notice The registry of the agents.
    function getIdentityRegistry() external view returns (address);

    /// @notice Version of the ERC-8004 contracts whose ABI this is.
    function getVersion() external pure returns (string memory);
}
