// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IReputationRegistry} from "../src/interfaces/IReputationRegistry.sol";
import {Fixture} from "./utils/Fixture.sol";

contract ReputationRegistryTest is Fixture {
    bytes32 internal constant HASH = keccak256("file");

    function give(address from, int128 value, uint8 decimals, string memory tag) internal {
        vm.prank(from);
        reputation.giveFeedback(node, value, decimals, tag, "", "http://node", "ipfs://file", HASH);
    }

    function only(address account) internal pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = account;
    }

    function summary(string memory tag) internal view returns (uint64 count, int128 value, uint8 decimals) {
        address[] memory clients = new address[](2);
        (clients[0], clients[1]) = (client, stranger);
        return reputation.getSummary(node, clients, tag, "");
    }

    function requireSummary(string memory tag, uint64 count, int128 value, uint8 decimals) internal view {
        (uint64 foundCount, int128 found, uint8 foundDecimals) = summary(tag);
        assert(foundCount == count && found == value && foundDecimals == decimals);
    }

    function test_giveFeedback_countsFromOneAndEmits() public {
        vm.expectEmit();
        emit IReputationRegistry.NewFeedback(
            node, client, 1, 87, 0, "quality", "quality", "", "http://node", "ipfs://file", HASH
        );
        give(client, 87, 0, "quality");
        vm.snapshotGasLastCall("giveFeedback first");
        give(client, -995, 1, "uptime");
        vm.snapshotGasLastCall("giveFeedback next");
        assert(reputation.getLastIndex(node, client) == 2 && reputation.getLastIndex(node, stranger) == 0);
        assert(reputation.getClients(node).length == 1 && reputation.getClients(node)[0] == client);
        (int128 value, uint8 decimals, string memory tag1,, bool isRevoked) = reputation.readFeedback(node, client, 2);
        assert(value == -995 && decimals == 1 && keccak256(bytes(tag1)) == keccak256("uptime") && !isRevoked);
    }

    function testFuzz_giveFeedback_revertsWhenOutOfRange(int128 value, uint8 decimals) public {
        bytes memory reason;
        if (decimals > 18) {
            reason = abi.encodeWithSelector(IReputationRegistry.TooManyDecimals.selector, decimals, 18);
        } else if (value > 1e38 || value < -1e38) {
            reason = abi.encodeWithSelector(IReputationRegistry.ValueTooLarge.selector, value, int128(1e38));
        }
        if (reason.length > 0) vm.expectRevert(reason);
        give(client, value, decimals, "");
    }

    function test_giveFeedback_takesTheLargestValues() public {
        give(client, 1e38, 0, "");
        give(client, 1e38, 0, "");
        requireSummary("", 2, 1e38, 0);
        vm.expectRevert(abi.encodeWithSelector(IReputationRegistry.ValueTooLarge.selector, -1e38 - 1, int128(1e38)));
        give(client, -1e38 - 1, 0, "");
    }

    function test_giveFeedback_revertsWhenOwnerOrOperator() public {
        vm.expectRevert(abi.encodeWithSelector(IReputationRegistry.SelfFeedback.selector, node, owner));
        give(owner, 100, 0, "");
        vm.prank(owner);
        identity.approve(client, node);
        vm.expectRevert(abi.encodeWithSelector(IReputationRegistry.SelfFeedback.selector, node, client));
        give(client, 100, 0, "");
    }

    function test_giveFeedback_revertsWhenAgentDoesNotExist() public {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 99));
        vm.prank(client);
        reputation.giveFeedback(99, 1, 0, "", "", "", "", 0);
    }

    function test_revokeFeedback_keepsItReadable() public {
        give(client, 50, 0, "");
        vm.expectEmit();
        emit IReputationRegistry.FeedbackRevoked(node, client, 1);
        vm.prank(client);
        reputation.revokeFeedback(node, 1);
        (,,,, bool isRevoked) = reputation.readFeedback(node, client, 1);
        assert(isRevoked);
        requireSummary("", 0, 0, 0);
    }

    function test_revokeFeedback_revertsWhenNotGivenOrRevoked() public {
        give(client, 50, 0, "");
        for (uint64 index = 0; index < 3; index += 2) {
            vm.expectRevert(abi.encodeWithSelector(IReputationRegistry.NoSuchFeedback.selector, node, client, index, 1));
            vm.prank(client);
            reputation.revokeFeedback(node, index);
        }
        vm.prank(client);
        reputation.revokeFeedback(node, 1);
        vm.expectRevert(abi.encodeWithSelector(IReputationRegistry.AlreadyRevoked.selector, node, client, 1));
        vm.prank(client);
        reputation.revokeFeedback(node, 1);
    }

    function test_getSummary_averagesInTheMostCommonPrecisionAndTruncates() public {
        give(client, 9999, 2, "quality"); // 99.99
        give(client, 50, 0, "quality");
        give(stranger, 25, 0, "quality");
        give(stranger, 7, 0, "speed");
        requireSummary("quality", 3, 58, 0); // 58.33
        requireSummary("", 4, 45, 0); // 45.4975
        requireSummary("nothing", 0, 0, 0);
    }

    function test_getSummary_endsAtTheLimitOfItsType() public {
        give(client, 1e38, 0, "");
        give(client, 1, 18, "");
        give(client, 1, 18, "");
        requireSummary("", 3, type(int128).max, 18);
        give(client, -1e38, 0, "low");
        give(client, 1, 18, "low");
        give(client, 1, 18, "low");
        requireSummary("low", 3, type(int128).min, 18);
    }

    function test_getSummary_truncatesTowardsZero() public {
        give(client, -1, 0, "");
        give(client, -2, 0, "");
        requireSummary("", 2, -1, 0);
    }

    function test_getSummary_revertsWhenNoClientIsNamed() public {
        vm.expectRevert(abi.encodeWithSelector(IReputationRegistry.NoClients.selector, node));
        reputation.getSummary(node, new address[](0), "", "");
    }

    function test_readFeedback_revertsWhenIndexIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(IReputationRegistry.NoSuchFeedback.selector, node, client, 0, 0));
        reputation.readFeedback(node, client, 0);
    }

    function test_readAllFeedback_readsEverybodyOrSome() public {
        give(client, 1, 0, "a");
        give(stranger, 2, 1, "b");
        give(client, 3, 2, "b");
        vm.prank(client);
        reputation.revokeFeedback(node, 1);
        (address[] memory clients, uint64[] memory indexes, int128[] memory values,,,, bool[] memory revoked) =
            reputation.readAllFeedback(node, new address[](0), "", "", true);
        assert(clients.length == 3 && clients[1] == client && clients[2] == stranger);
        assert(indexes[1] == 2 && values[1] == 3 && revoked[0] && !revoked[1]);
        (clients, indexes, values,,,, revoked) = reputation.readAllFeedback(node, only(client), "", "", false);
        assert(clients.length == 1 && indexes[0] == 2);
        uint8[] memory decimals;
        string[] memory tags;
        (clients,, values, decimals, tags,,) = reputation.readAllFeedback(node, only(stranger), "b", "", false);
        assert(clients.length == 1 && values[0] == 2 && decimals[0] == 1 && keccak256(bytes(tags[0])) == keccak256("b"));
        (clients,,,,,,) = reputation.readAllFeedback(node, new address[](0), "", "none", true);
        assert(clients.length == 0);
    }

    function respond(address from, uint64 index, string memory uri) internal {
        vm.prank(from);
        reputation.appendResponse(node, client, index, uri, HASH);
    }

    function test_appendResponse_isCounted() public {
        give(client, 1, 0, "");
        give(client, 2, 0, "");
        vm.expectEmit();
        emit IReputationRegistry.ResponseAppended(node, client, 1, owner, "ipfs://answer", HASH);
        respond(owner, 1, "ipfs://answer");
        respond(owner, 1, "ipfs://more");
        respond(stranger, 2, "ipfs://spam");
        address[] memory nobody = new address[](0);
        assert(reputation.getResponseCount(node, client, 1, nobody) == 2);
        assert(reputation.getResponseCount(node, client, 0, nobody) == 3);
        assert(reputation.getResponseCount(node, address(0), 0, only(stranger)) == 1);
        assert(reputation.getResponseCount(node, client, 2, only(owner)) == 0);
        assert(reputation.getResponseCount(node, client, 9, nobody) == 0);
    }

    function test_appendResponse_revertsWhenThereIsNothingToRespondTo() public {
        vm.expectRevert(abi.encodeWithSelector(IReputationRegistry.NoSuchFeedback.selector, node, client, 1, 0));
        respond(owner, 1, "ipfs://answer");
        give(client, 1, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IReputationRegistry.EmptyResponse.selector, node));
        respond(owner, 1, "");
    }

    function test_getIdentityRegistry_isTheOneGiven() public view {
        assert(reputation.getIdentityRegistry() == address(identity));
        assert(keccak256(bytes(reputation.getVersion())) == keccak256("2.0.0"));
    }
}
