// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";
import {IReputationRegistry} from "./interfaces/IReputationRegistry.sol";
import {Feedback} from "./types/Feedback.sol";

/// @notice ERC-8004 feedback without an administrator.
contract ReputationRegistry is IReputationRegistry {
    /// @notice More decimal places than any currency has.
    uint8 public constant MAX_DECIMALS = 18;
    /// @notice With 18 decimal places more, a sum of 2^64 such values still fits 256 bits.
    int128 public constant MAX_VALUE = 1e38;

    struct Found {
        address[] clients;
        uint64[] indexes;
        int128[] values;
        uint8[] decimals;
        string[] tag1s;
        string[] tag2s;
        bool[] revoked;
    }

    IIdentityRegistry private immutable IDENTITY;

    mapping(uint256 agentId => address[]) private _clients;
    mapping(uint256 agentId => mapping(address client => Feedback[])) private _feedback;
    mapping(bytes32 feedback => mapping(address responder => uint64)) private _responses;
    mapping(bytes32 feedback => uint64) private _responsesByAll;

    constructor(IIdentityRegistry identity_) {
        IDENTITY = identity_;
    }

    /// @inheritdoc IReputationRegistry
    /// @dev Strings in memory take one place on the stack, in calldata two, which would be too many.
    function giveFeedback(
        uint256 agentId,
        int128 value,
        uint8 valueDecimals,
        string memory tag1,
        string memory tag2,
        string memory endpoint,
        string memory feedbackURI,
        bytes32 feedbackHash
    ) public {
        if (valueDecimals > MAX_DECIMALS) {
            revert TooManyDecimals(valueDecimals, MAX_DECIMALS);
        }
        if (value > MAX_VALUE || value < -MAX_VALUE) revert ValueTooLarge(value, MAX_VALUE);
        if (IDENTITY.isAuthorizedOrOwner(msg.sender, agentId)) revert SelfFeedback(agentId, msg.sender);
        Feedback[] storage given = _feedback[agentId][msg.sender];
        if (given.length == 0) _clients[agentId].push(msg.sender);
        given.push(Feedback(value, valueDecimals, false, tag1, tag2));
        emit NewFeedback(
            agentId,
            msg.sender,
            uint64(given.length),
            value,
            valueDecimals,
            tag1,
            tag1,
            tag2,
            endpoint,
            feedbackURI,
            feedbackHash
        );
    }

    /// @inheritdoc IReputationRegistry
    function revokeFeedback(uint256 agentId, uint64 feedbackIndex) external {
        Feedback storage given = _at(agentId, msg.sender, feedbackIndex);
        if (given.isRevoked) revert AlreadyRevoked(agentId, msg.sender, feedbackIndex);
        given.isRevoked = true;
        emit FeedbackRevoked(agentId, msg.sender, feedbackIndex);
    }

    /// @inheritdoc IReputationRegistry
    function appendResponse(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        string calldata responseURI,
        bytes32 responseHash
    ) external {
        _at(agentId, clientAddress, feedbackIndex);
        if (bytes(responseURI).length == 0) revert EmptyResponse(agentId);
        bytes32 key = _key(agentId, clientAddress, feedbackIndex);
        _responses[key][msg.sender] += 1;
        _responsesByAll[key] += 1;
        emit ResponseAppended(agentId, clientAddress, feedbackIndex, msg.sender, responseURI, responseHash);
    }

    /// @inheritdoc IReputationRegistry
    function getSummary(uint256 agentId, address[] calldata clientAddresses, string calldata tag1, string calldata tag2)
        external
        view
        returns (uint64 count, int128 summaryValue, uint8 summaryValueDecimals)
    {
        if (clientAddresses.length == 0) revert NoClients(agentId);
        uint64[MAX_DECIMALS + 1] memory uses;
        int256 sum = 0;
        for (uint256 i = 0; i < clientAddresses.length; ++i) {
            Feedback[] storage given = _feedback[agentId][clientAddresses[i]];
            for (uint256 j = 0; j < given.length; ++j) {
                if (!_isWanted(given[j], tag1, tag2, false)) continue;
                sum += given[j].value * _power(MAX_DECIMALS - given[j].valueDecimals);
                uses[given[j].valueDecimals] += 1;
                count += 1;
            }
        }
        if (count == 0) return (0, 0, 0);
        for (uint8 i = 1; i <= MAX_DECIMALS; ++i) {
            if (uses[i] > uses[summaryValueDecimals]) summaryValueDecimals = i;
        }
        int256 mean = sum / int256(uint256(count)) / _power(MAX_DECIMALS - summaryValueDecimals);
        // A large value of few decimals, in the precision of others that have many, may not fit: then it is the limit.
        mean = SignedMath.max(SignedMath.min(mean, type(int128).max), type(int128).min);
        // forge-lint: disable-next-line(unsafe-typecast) -- just limited
        summaryValue = int128(mean);
    }

    /// @inheritdoc IReputationRegistry
    function readFeedback(uint256 agentId, address clientAddress, uint64 feedbackIndex)
        external
        view
        returns (int128 value, uint8 valueDecimals, string memory tag1, string memory tag2, bool isRevoked)
    {
        Feedback storage given = _at(agentId, clientAddress, feedbackIndex);
        return (given.value, given.valueDecimals, given.tag1, given.tag2, given.isRevoked);
    }

    /// @inheritdoc IReputationRegistry
    /// @dev Memory and a struct for the same reason as in `giveFeedback`.
    function readAllFeedback(
        uint256 agentId,
        address[] memory clientAddresses,
        string memory tag1,
        string memory tag2,
        bool includeRevoked
    )
        public
        view
        returns (
            address[] memory clients,
            uint64[] memory feedbackIndexes,
            int128[] memory values,
            uint8[] memory valueDecimals,
            string[] memory tag1s,
            string[] memory tag2s,
            bool[] memory revokedStatuses
        )
    {
        Found memory found = _find(agentId, clientAddresses, tag1, tag2, includeRevoked);
        clients = found.clients;
        feedbackIndexes = found.indexes;
        values = found.values;
        valueDecimals = found.decimals;
        tag1s = found.tag1s;
        tag2s = found.tag2s;
        revokedStatuses = found.revoked;
    }

    /// @inheritdoc IReputationRegistry
    function getResponseCount(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        address[] calldata responders
    ) external view returns (uint64 count) {
        if (clientAddress != address(0)) {
            return _countOf(agentId, clientAddress, feedbackIndex, responders);
        }
        address[] storage clients = _clients[agentId];
        for (uint256 i = 0; i < clients.length; ++i) {
            count += _countOf(agentId, clients[i], feedbackIndex, responders);
        }
    }

    /// @inheritdoc IReputationRegistry
    function getClients(uint256 agentId) external view returns (address[] memory) {
        return _clients[agentId];
    }

    /// @inheritdoc IReputationRegistry
    function getLastIndex(uint256 agentId, address clientAddress) external view returns (uint64) {
        return uint64(_feedback[agentId][clientAddress].length);
    }

    /// @inheritdoc IReputationRegistry
    function getIdentityRegistry() external view returns (address) {
        return address(IDENTITY);
    }

    /// @inheritdoc IReputationRegistry
    function getVersion() external pure returns (string memory) {
        return "2.0.0";
    }

    function _at(uint256 agentId, address client, uint64 index) private view returns (Feedback storage) {
        Feedback[] storage given = _feedback[agentId][client];
        if (index == 0 || index > given.length) {
            revert NoSuchFeedback(agentId, client, index, uint64(given.length));
        }
        return given[index - 1];
    }

    function _find(
        uint256 agentId,
        address[] memory wanted,
        string memory tag1,
        string memory tag2,
        bool includeRevoked
    ) private view returns (Found memory found) {
        if (wanted.length == 0) wanted = _clients[agentId];
        uint256 total = 0;
        for (uint256 i = 0; i < wanted.length; ++i) {
            total += _count(_feedback[agentId][wanted[i]], tag1, tag2, includeRevoked);
        }
        found = Found(
            new address[](total),
            new uint64[](total),
            new int128[](total),
            new uint8[](total),
            new string[](total),
            new string[](total),
            new bool[](total)
        );
        uint256 next = 0;
        for (uint256 i = 0; i < wanted.length; ++i) {
            Feedback[] storage given = _feedback[agentId][wanted[i]];
            for (uint256 j = 0; j < given.length; ++j) {
                if (!_isWanted(given[j], tag1, tag2, includeRevoked)) continue;
                found.clients[next] = wanted[i];
                found.indexes[next] = uint64(j + 1);
                _copy(given[j], found, next++);
            }
        }
    }

    function _copy(Feedback storage given, Found memory found, uint256 place) private view {
        found.values[place] = given.value;
        found.decimals[place] = given.valueDecimals;
        found.tag1s[place] = given.tag1;
        found.tag2s[place] = given.tag2;
        found.revoked[place] = given.isRevoked;
    }

    function _count(Feedback[] storage given, string memory tag1, string memory tag2, bool includeRevoked)
        private
        view
        returns (uint256 count)
    {
        for (uint256 i = 0; i < given.length; ++i) {
            if (_isWanted(given[i], tag1, tag2, includeRevoked)) ++count;
        }
    }

    function _countOf(uint256 agentId, address client, uint64 index, address[] calldata responders)
        private
        view
        returns (uint64 count)
    {
        uint64 last = uint64(_feedback[agentId][client].length);
        if (index > last) return 0;
        for (uint64 i = index == 0 ? 1 : index; i <= (index == 0 ? last : index); ++i) {
            bytes32 key = _key(agentId, client, i);
            if (responders.length == 0) count += _responsesByAll[key];
            for (uint256 j = 0; j < responders.length; ++j) {
                count += _responses[key][responders[j]];
            }
        }
    }

    function _isWanted(Feedback storage given, string memory tag1, string memory tag2, bool includeRevoked)
        private
        view
        returns (bool)
    {
        return (includeRevoked || !given.isRevoked) && _matches(given.tag1, tag1) && _matches(given.tag2, tag2);
    }

    function _matches(string memory tag, string memory wanted) private pure returns (bool) {
        return bytes(wanted).length == 0 || keccak256(bytes(wanted)) == keccak256(bytes(tag));
    }

    function _power(uint8 exponent) private pure returns (int256) {
        return int256(10 ** uint256(exponent));
    }

    function _key(uint256 agentId, address client, uint64 index) private pure returns (bytes32) {
        return keccak256(abi.encode(agentId, client, index));
    }
}
