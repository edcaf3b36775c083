// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Rater, Reward} from "../types/Rater.sol";

/// @notice Raters put capital at stake; influence on scores is bounded by it, epoch by epoch.
/// @dev `WINDOW` is longer than `EPOCH` and rewards wait for the next epoch, so that the same capital cannot serve two
/// accounts in one epoch.
interface IBonds {
    /// @notice A rater added to its bond.
    event Bonded(address indexed rater, uint256 amount, uint256 total);
    /// @notice A rater took back from its bond.
    event Unbonded(address indexed rater, uint256 amount, uint256 total);

    /// @notice An account took what it had earned by challenges.
    event Claimed(address indexed account, uint256 amount);

    /// @notice The bond is smaller than what was asked for.
    error BondTooSmall(address rater, uint256 bond, uint256 needed);
    /// @notice More than one account can have at stake.
    error BondTooLarge(uint256 bond, uint256 maximum);
    /// @notice The last batch can be challenged until `free`, in unix seconds.
    error BondLocked(address rater, uint256 free);
    /// @notice The bond does not buy that much influence in one epoch; both in hundredths.
    error OverBudget(address rater, uint256 spent, uint256 budget);
    /// @notice The account has earned nothing by challenges.
    error NothingToClaim(address account);
    /// @notice What was earned in one epoch is free in the next, from `free` on, in unix seconds.
    error RewardLocked(address account, uint256 free);

    /// @notice Put what is sent at stake.
    function bond() external payable;

    /// @notice Take back wei that no batch can be challenged for any more.
    function unbond(uint256 amount) external;

    /// @notice Take what was earned by challenges, from the epoch after the last one on.
    function claim() external;

    /// @notice What an account has earned by challenges and not claimed.
    function rewardOf(address account) external view returns (Reward memory);

    /// @notice Wei kept from a rater's lost bonds, half of which goes to whoever next proves a batch of it wrong.
    function bountyOf(address rater) external view returns (uint256);

    /// @notice A rater's bond, what it has used, and since when it is bound.
    function raterOf(address rater) external view returns (Rater memory);

    /// @notice Influence left to a rater in this epoch, in hundredths: one verdict of 100 takes 100.
    function influenceOf(address rater) external view returns (uint256);

    /// @notice Epochs since 1970. Scores fade from one to the next, and budgets are new.
    function currentEpoch() external view returns (uint256);

    /// @notice Wei taken from cheats that went to nobody. It stays in this contract.
    function burnt() external view returns (uint256);

    /// @notice Seconds of an epoch: a week is long enough to fold ratings, short enough to notice a change.
    function EPOCH() external view returns (uint256);

    /// @notice Seconds in which a batch can be challenged, after which the bond is free.
    function WINDOW() external view returns (uint256);

    /// @notice Wei that must be at stake for one hundredth of influence an epoch: 1 ether for 1,000 full verdicts.
    function WEI_PER_INFLUENCE() external view returns (uint256);

    /// @notice Least bond to rate with. Half of it must pay for the gas of a challenge: 140,000, and 5,000 more a node.
    function MIN_BOND() external view returns (uint256);
}
