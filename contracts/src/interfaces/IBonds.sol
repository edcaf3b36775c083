// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Rater, Reward} from "../types/Rater.sol";

/// @notice Bonds of raters, which bound the influence of each rater on scores in each epoch.
/// @dev `CHALLENGE_WINDOW` is longer than `EPOCH`, and rewards wait for the next epoch. So the same capital cannot serve
/// two accounts in one epoch.
interface IBonds {
    /// @notice Emitted when a rater adds to its bond.
    /// @param rater The account that owns the bond.
    /// @param amount Wei added.
    /// @param total Wei of the bond afterwards.
    event Bonded(address indexed rater, uint256 amount, uint256 total);
    /// @notice Emitted when a rater withdraws from its bond.
    /// @param rater The account that owns the bond.
    /// @param amount Wei withdrawn.
    /// @param total Wei of the bond afterwards.
    event Unbonded(address indexed rater, uint256 amount, uint256 total);
    /// @notice Emitted when an account withdraws its rewards.
    /// @param account The account that earned the rewards by challenges.
    /// @param amount Wei withdrawn.
    event Claimed(address indexed account, uint256 amount);

    /// @notice Thrown when the bond is smaller than the call needs.
    /// @param rater The account that owns the bond.
    /// @param bond Wei of the bond.
    /// @param needed Wei that the call needs.
    error BondTooSmall(address rater, uint256 bond, uint256 needed);
    /// @notice Thrown when the bond would exceed what one account can hold.
    /// @param bond Wei that the bond would have.
    /// @param maximum Most wei of one bond.
    error BondTooLarge(uint256 bond, uint256 maximum);
    /// @notice Thrown when the rater's last batch can still be challenged.
    /// @param rater The account that owns the bond.
    /// @param free Unix seconds after which the bond can be withdrawn.
    error BondLocked(address rater, uint256 free);
    /// @notice Thrown when the bond does not give that much influence in one epoch.
    /// @param rater The account that submits.
    /// @param spent Influence that the epoch would have used, in hundredths.
    /// @param budget Influence that the bond gives in an epoch, in hundredths.
    error OverBudget(address rater, uint256 spent, uint256 budget);
    /// @notice Thrown when the account has no rewards.
    /// @param account The account that claims.
    error NothingToClaim(address account);
    /// @notice Thrown when rewards are claimed in the epoch in which they were earned.
    /// @param account The account that claims.
    /// @param free Unix seconds from which the rewards can be claimed.
    error RewardLocked(address account, uint256 free);

    /// @notice Add the value of this call to the sender's bond.
    function bond() external payable;

    /// @notice Withdraw from the sender's bond, once none of its batches can be challenged any more.
    /// @param amount Wei to withdraw.
    function unbond(uint256 amount) external;

    /// @notice Withdraw the sender's rewards, from the epoch after the last one in which it earned some.
    function claim() external;

    /// @notice Return the rewards that an account earned by challenges and has not claimed.
    /// @param account The account that earned them.
    function rewardOf(address account) external view returns (Reward memory);

    /// @notice Return the wei kept from a rater's slashed bonds. Half of it rewards the next challenge of its batches.
    /// @param rater The account whose batches are challenged.
    function bountyOf(address rater) external view returns (uint256);

    /// @notice Return bond, influence used and last batch of a rater.
    /// @param rater The account that rates.
    function raterOf(address rater) external view returns (Rater memory);

    /// @notice Return the influence left to a rater in this epoch, in hundredths: a rating of 100 uses 100.
    /// @param rater The account that rates.
    function influenceOf(address rater) external view returns (uint256);

    /// @notice Epochs since 1970. Scores fade from one epoch to the next, and budgets start again.
    function currentEpoch() external view returns (uint256);

    /// @notice Wei of slashed bonds that no account can withdraw.
    function burnt() external view returns (uint256);

    /// @notice Seconds of an epoch. A week is long enough to batch ratings and short enough to notice a change.
    function EPOCH() external view returns (uint256);

    /// @notice Seconds in which a batch can be challenged, after which the bond is free.
    function CHALLENGE_WINDOW() external view returns (uint256);

    /// @notice Wei of bond for one hundredth of influence an epoch: 1 ether gives 1,000 ratings of 100.
    function WEI_PER_INFLUENCE() external view returns (uint256);

    /// @notice Smallest bond to rate with. Half of it must pay the gas of a challenge: 140,000, and 5,000 for each node.
    function MIN_BOND() external view returns (uint256);
}
