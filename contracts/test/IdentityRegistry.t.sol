// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {IIdentityRegistry} from "../src/interfaces/IIdentityRegistry.sol";
import {MetadataEntry} from "../src/types/MetadataEntry.sol";
import {Fixture} from "./utils/Fixture.sol";

contract IdentityRegistryTest is Fixture, IERC721Receiver {
    bytes internal constant ENDPOINT = "http://127.0.0.1:8080";
    uint256 internal seenByHook;

    function onERC721Received(address, address, uint256 agentId, bytes calldata) external returns (bytes4) {
        assert(identity.getAgentWallet(agentId) == address(this));
        seenByHook = agentId;
        return IERC721Receiver.onERC721Received.selector;
    }

    function entries(string memory key, uint256 count) internal pure returns (MetadataEntry[] memory list) {
        list = new MetadataEntry[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = MetadataEntry({metadataKey: key, metadataValue: ENDPOINT});
        }
    }

    function test_register_countsFromOneAndMakesTheOwnerTheWallet() public {
        assert(node == 1 && identity.ownerOf(1) == owner && identity.getAgentWallet(1) == owner);
        vm.prank(client);
        assert(identity.register() == 2);
        vm.snapshotGasLastCall("register");
        assert(keccak256(identity.getMetadata(2, "agentWallet")) == keccak256(abi.encodePacked(client)));
    }

    function test_register_keepsMetadataAndUri() public {
        vm.prank(client);
        uint256 agentId = identity.register("ipfs://file", entries("knet.endpoint", 1));
        vm.snapshotGasLastCall("register with endpoint");
        assert(keccak256(identity.getMetadata(agentId, "knet.endpoint")) == keccak256(ENDPOINT));
        assert(keccak256(bytes(identity.tokenURI(agentId))) == keccak256("ipfs://file"));
    }

    function test_register_emitsWhatFollowersRead() public {
        vm.expectEmit();
        emit IERC721.Transfer(address(0), client, 2);
        vm.expectEmit();
        emit IIdentityRegistry.Registered(2, "", client);
        vm.expectEmit();
        emit IIdentityRegistry.MetadataSet(2, "agentWallet", "agentWallet", abi.encodePacked(client));
        vm.expectEmit();
        emit IIdentityRegistry.MetadataSet(2, "knet.endpoint", "knet.endpoint", ENDPOINT);
        vm.prank(client);
        identity.register("", entries("knet.endpoint", 1));
    }

    function test_register_showsContractsAFinishedIdentity() public {
        uint256 agentId = identity.register();
        assert(agentId == seenByHook);
    }

    function test_register_revertsWhenMetadataSetsTheWallet() public {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.ReservedMetadataKey.selector, "agentWallet"));
        vm.prank(client);
        identity.register("", entries("agentWallet", 1));
    }

    function test_register_revertsWhenMetadataIsTooLong() public {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.TooManyMetadataEntries.selector, 33, 32));
        vm.prank(client);
        identity.register("", entries("k", 33));
    }

    function test_setMetadata_replacesTheValue() public {
        vm.prank(owner);
        identity.setMetadata(node, "knet.endpoint", ENDPOINT);
        vm.snapshotGasLastCall("setMetadata endpoint");
        assert(keccak256(identity.getMetadata(node, "knet.endpoint")) == keccak256(ENDPOINT));
    }

    function test_setMetadata_revertsWhenStranger() public {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotAuthorized.selector, node, stranger));
        vm.prank(stranger);
        identity.setMetadata(node, "knet.endpoint", ENDPOINT);
    }

    function test_setMetadata_revertsWhenKeyIsReserved() public {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.ReservedMetadataKey.selector, "agentWallet"));
        vm.prank(owner);
        identity.setMetadata(node, "agentWallet", abi.encodePacked(stranger));
    }

    function test_setMetadata_revertsWhenAgentDoesNotExist() public {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 99));
        identity.setMetadata(99, "knet.endpoint", ENDPOINT);
    }

    function test_setAgentURI_replacesTheUri() public {
        vm.expectEmit();
        emit IIdentityRegistry.URIUpdated(node, "ipfs://new", owner);
        vm.prank(owner);
        identity.setAgentURI(node, "ipfs://new");
        assert(keccak256(bytes(identity.tokenURI(node))) == keccak256("ipfs://new"));
    }

    function test_setAgentURI_revertsWhenStranger() public {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotAuthorized.selector, node, stranger));
        vm.prank(stranger);
        identity.setAgentURI(node, "ipfs://new");
    }

    function test_setAgentWallet_takesTheNewWalletsConsent() public {
        uint256 deadline = START + 5 minutes;
        vm.prank(owner);
        identity.setAgentWallet(node, client, deadline, walletConsent(CLIENT_KEY, owner, deadline));
        vm.snapshotGasLastCall("setAgentWallet");
        assert(identity.getAgentWallet(node) == client && identity.ownerOf(node) == owner);
    }

    function test_setAgentWallet_revertsWhenWalletDidNotConsent() public {
        bytes memory consent = walletConsent(STRANGER_KEY, owner, START);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.InvalidWalletSignature.selector, node, client));
        vm.prank(owner);
        identity.setAgentWallet(node, client, START, consent);
    }

    function test_setAgentWallet_revertsWhenConsentWasGivenToAnotherOwner() public {
        bytes memory consent = walletConsent(CLIENT_KEY, stranger, START);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.InvalidWalletSignature.selector, node, client));
        vm.prank(owner);
        identity.setAgentWallet(node, client, START, consent);
    }

    function test_setAgentWallet_revertsWhenWalletItselfAsks() public {
        rotateWallet(CLIENT_KEY);
        bytes memory consent = walletConsent(CLIENT_KEY, owner, START);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotAuthorized.selector, node, client));
        vm.prank(client);
        identity.setAgentWallet(node, client, START, consent);
    }

    function test_setAgentWallet_revertsWhenDeadlinePassed() public {
        bytes memory consent = walletConsent(CLIENT_KEY, owner, START - 1);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.DeadlinePassed.selector, START - 1, START));
        vm.prank(owner);
        identity.setAgentWallet(node, client, START - 1, consent);
    }

    function test_setAgentWallet_revertsWhenDeadlineIsTooFar() public {
        uint256 latest = START + 5 minutes;
        bytes memory consent = walletConsent(CLIENT_KEY, owner, latest + 1);
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.DeadlineTooFar.selector, latest + 1, latest));
        vm.prank(owner);
        identity.setAgentWallet(node, client, latest + 1, consent);
    }

    function test_setAgentWallet_revertsWhenWalletIsZero() public {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.ZeroWallet.selector, node));
        vm.prank(owner);
        identity.setAgentWallet(node, address(0), START, "");
    }

    function test_unsetAgentWallet_leavesNone() public {
        vm.prank(owner);
        identity.unsetAgentWallet(node);
        assert(identity.getAgentWallet(node) == address(0));
        assert(identity.getMetadata(node, "agentWallet").length == 0);
    }

    function test_unsetAgentWallet_revertsWhenStranger() public {
        vm.expectRevert(abi.encodeWithSelector(IIdentityRegistry.NotAuthorized.selector, node, stranger));
        vm.prank(stranger);
        identity.unsetAgentWallet(node);
    }

    function test_transferFrom_clearsTheWallet() public {
        vm.expectEmit();
        emit IIdentityRegistry.MetadataSet(node, "agentWallet", "agentWallet", "");
        vm.prank(owner);
        identity.transferFrom(owner, client, node);
        assert(identity.getAgentWallet(node) == address(0));
    }

    function test_isAuthorizedOrOwner_knowsOwnersAndApproved() public {
        assert(identity.isAuthorizedOrOwner(owner, node) && !identity.isAuthorizedOrOwner(client, node));
        vm.prank(owner);
        identity.approve(client, node);
        assert(identity.isAuthorizedOrOwner(client, node));
    }

    function test_isAuthorizedOrOwner_revertsWhenAgentDoesNotExist() public {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721NonexistentToken.selector, 99));
        identity.isAuthorizedOrOwner(owner, 99);
    }

    function test_supportsInterface_isAnErc721() public view {
        assert(identity.supportsInterface(type(IERC721).interfaceId));
        assert(keccak256(bytes(identity.getVersion())) == keccak256("2.0.0"));
    }

    function testFuzz_setMetadata_roundTrips(string calldata key, bytes calldata value) public {
        if (keccak256(bytes(key)) == keccak256("agentWallet")) return;
        vm.prank(owner);
        identity.setMetadata(node, key, value);
        assert(keccak256(identity.getMetadata(node, key)) == keccak256(value));
    }
}
